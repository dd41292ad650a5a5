"""Play the main job through the real HTTP API, on a server of its own thread.

Two evenings and the noon between them, all in the past by the time it is told: the clock is held
at each moment (common.clock.fixed_at), so that check-ins are on time and codes are fresh.
"""

import random
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import requests
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.db.models import Sum
from shapely import Point, from_wkb

from common import clock
from common.money import credits_text
from common.unit_of_work import unit_of_work
from config.demo.town import SEED, ZONE, Cast, DemoTown
from config.wsgi import application
from grids.people.models import Member
from grids.people.services import issue_token
from grids.places.models import CellShape
from patrols.shifts.models import Seat
from timebank.earning.models import HourLog

Say = Callable[[str, int, int], None]
_LEFT_FOR_THE_REVIEWER = 4


class StoryFailed(RuntimeError):
    """The API answered something that the story did not expect."""


@dataclass
class Told:
    """What happened, for the summary table."""

    seats_total: int = 0
    seats_filled: int = 0
    gap: float = 0.0
    solver_seconds: float = 0.0
    accepted: int = 0
    review: int = 0
    absent: int = 0
    approved: int = 0
    rejected: int = 0
    automatic: int = 0
    booked: int = 0
    redeemed: int = 0
    charged: int = 0
    given: int = 0
    issued: str = "0.00"


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """The progress bar says enough."""


@contextmanager
def server() -> Iterator[str]:
    """Serve the whole product over HTTP on a free port of this host; yield its address."""
    httpd = ThreadedWSGIServer(("127.0.0.1", 0), _Quiet, ipv6=False)
    httpd.daemon_threads = True
    httpd.set_app(application)
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{httpd.server_address[1]}"
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()


class Caller:
    """Calls the API as a member, each with their own token."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._session = requests.Session()
        self._tokens: dict[int, str] = {}

    def call(self, member: Member, method: str, path: str, body: Any = None) -> Any:
        """Return the JSON answer; raise StoryFailed for anything but a success."""
        if member.pk not in self._tokens:
            with unit_of_work(member) as work:
                self._tokens[member.pk] = issue_token(member=member, label="story", now=work.now)
        answer = self._session.request(
            method,
            f"{self._address}/api/v1/{path}",
            json=body,
            headers={
                "Authorization": f"Token {self._tokens[member.pk]}",
                "Idempotency-Key": str(uuid.uuid4()),
            },
            timeout=60,
        )
        if not answer.ok:
            raise StoryFailed(f"{method} {path}: {answer.status_code} {answer.text[:400]}")
        return answer.json() if answer.content else None

    def every(self, member: Member, path: str) -> Iterator[Any]:
        """Walk a list through all its pages."""
        page = self.call(member, "GET", path)
        while True:
            yield from page["results"]
            if not page["next"]:
                return
            page = self.call(member, "GET", page["next"].split("/api/v1/")[1])


def tell(*, town: DemoTown, address: str, story_on: date, say: Say) -> Told:
    """Play evening, morning, noon and second evening; return the figures."""
    assert town.cast is not None
    teller = _Teller(town, town.cast, Caller(address), story_on, say)
    teller.plan_the_week()
    teller.evening(story_on)
    teller.approvals(story_on + timedelta(days=1), time(9, 0), reject_one=True)
    teller.gifts(story_on + timedelta(days=1))
    teller.noon(story_on + timedelta(days=1))
    teller.evening(story_on + timedelta(days=1))
    teller.approvals(story_on + timedelta(days=1), time(21, 45), reject_one=False)
    return teller.counted()


class _Teller:
    def __init__(
        self, town: DemoTown, cast: Cast, caller: Caller, story_on: date, say: Say
    ) -> None:
        self.town, self.cast, self.caller = town, cast, caller
        self.story_on, self.say = story_on, say
        self.chance = random.Random(SEED + 1)
        self.told = Told()
        self.shapes = {
            shape.cell_id: from_wkb(bytes(shape.geometry))
            for shape in CellShape.objects.filter(cell__in=town.cells, plan__state="published")
        }

    def counted(self) -> Told:
        """Return the figures, those the API doesn't tell counted in the books."""
        hours = HourLog.objects.filter(state=HourLog.State.APPROVED)
        self.told.automatic = hours.filter(automatic=True).count()
        self.told.issued = credits_text(hours.aggregate(all=Sum("credits_earned"))["all"] or 0)
        return self.told

    def at(self, day: date, moment: time) -> Any:
        """Hold the clock at a local moment of the town."""
        return clock.fixed_at(datetime.combine(day, moment, tzinfo=ZoneInfo(ZONE)))

    def plan_the_week(self) -> None:
        """Ask for the week's roster, wait for the solver, apply it."""
        self.say("Planning the week", 0, 1)
        with self.at(self.story_on, time(12, 0)):
            asked = self.caller.call(
                self.cast.administrator,
                "POST",
                "rosters",
                {
                    "community": self.town.root.pk,
                    "from": self.story_on.isoformat(),
                    "days": 7,
                },
            )
            run = self._wait(asked["id"])
            self.caller.call(self.cast.administrator, "POST", f"rosters/{run['id']}/apply")
        self.told.seats_total, self.told.seats_filled = run["seats_total"], run["seats_filled"]
        self.told.gap, self.told.solver_seconds = run["gap"], run["seconds"]
        self.say("Planning the week", 1, 1)

    def _wait(self, run_id: int) -> Any:
        pause = threading.Event()
        for _ in range(600):
            run = self.caller.call(self.cast.administrator, "GET", f"rosters/{run_id}")
            if run["state"] in {"ready", "failed"}:
                break
            pause.wait(0.2)
        if run["state"] != "ready":
            raise StoryFailed(f"The roster is {run['state']}: {run}")
        return run

    def evening(self, day: date) -> None:
        """Check the night's teams in and out, as people do: on time, late, with weak signal."""
        seats = list(
            Seat.objects.filter(shift__local_date=day, member__isnull=False)
            .select_related("shift", "member")
            .order_by("starts_at", "pk")
        )
        for done, seat in enumerate(seats):
            self.say(f"Patrols and kitchens of {day:%d.%m.}", done, len(seats))
            self._one_seat(seat)
        self.say(f"Patrols and kitchens of {day:%d.%m.}", len(seats), len(seats))

    def _one_seat(self, seat: Seat) -> None:
        assert seat.member is not None
        luck = self.chance.random()
        if luck < 0.02:
            self.told.absent += 1
            return
        late = self.chance.randint(20, 40) if luck < 0.06 else self.chance.randint(-10, 8)
        begun = seat.starts_at + timedelta(minutes=late)
        ended = seat.ends_at + timedelta(minutes=self.chance.randint(0, 6))
        where = self._where(seat, weak=0.06 <= luck < 0.09)
        for kind, moment in (("in", begun), ("out", ended)):
            with clock.fixed_at(moment + timedelta(seconds=self.chance.randint(0, 20))):
                answer = self.caller.call(
                    seat.member,
                    "POST",
                    "checkins",
                    {"seat": seat.pk, "kind": kind, "occurred_at": moment.isoformat(), **where},
                )
            if answer["verdict"] == "accepted":
                self.told.accepted += 1
            else:
                self.told.review += 1

    def _where(self, seat: Seat, *, weak: bool) -> dict[str, Any]:
        """Stand at the meeting point's door, or read its code where there is no position."""
        if self.chance.random() < 0.1 and not weak:
            return {"code": seat.shift.meeting_code}
        shape = self.shapes[seat.shift.cell_id or 0]
        lat, lon = seat.shift.meeting_lat or 0.0, seat.shift.meeting_lon or 0.0
        if not shape.covers(Point(lon, lat)):
            inside = shape.representative_point()
            lat, lon = inside.y, inside.x
        accuracy = 400.0 if weak else float(self.chance.randint(8, 45))
        return {"lat": round(lat, 6), "lon": round(lon, 6), "accuracy_m": accuracy}

    def approvals(self, day: date, moment: time, *, reject_one: bool) -> None:
        """Let the reviewer decide what did not approve itself."""
        reviewer = self.cast.reviewer
        with self.at(day, moment):
            waiting = list(self.caller.every(reviewer, "hours?state=pending"))
            if not reject_one:
                # Whoever signs in as the reviewer finds something to decide.
                waiting = waiting[:-_LEFT_FOR_THE_REVIEWER]
            for done, hours in enumerate(waiting):
                self.say("Reviewing hours", done, len(waiting))
                if reject_one and done == 0:
                    self.caller.call(
                        reviewer,
                        "POST",
                        f"hours/{hours['id']}/reject",
                        {"reason": "位置不符，请与网格长核对 Position does not match"},
                    )
                    self.told.rejected += 1
                else:
                    self.caller.call(reviewer, "POST", f"hours/{hours['id']}/approve")
                    self.told.approved += 1
            self.say("Reviewing hours", len(waiting), len(waiting))

    def gifts(self, day: date) -> None:
        """Let neighbours who patrolled give credits to two elders."""
        elders = (self.cast.elder, self.cast.elder_without_phone)
        accounts = [self._account_id(elder) for elder in elders]
        with self.at(day, time(9, 30)):
            for number, giver in enumerate(self._well_off(75)[:10]):
                self.caller.call(
                    giver,
                    "POST",
                    "transfers",
                    {"to": accounts[number % 2], "amount": "0.50", "memo": "请您吃顿午饭 Lunch"},
                )
                self.told.given += 1

    def noon(self, day: date) -> None:
        """Book lunches at the kitchen, redeem them by code, and pay at a shop."""
        cast = self.cast
        with self.at(day, time(10, 0)):
            offers = list(self.caller.every(cast.elder, "offers"))
            lunch, slot = self._todays(offers, "50", day)
            guests: list[tuple[Member, Member | None]] = [
                (cast.elder, None),
                (cast.neighbour, cast.elder_without_phone),
            ]
            guests += [(member, None) for member in self._well_off(50)[4:]]
            bookings = []
            for done, (booker, guest) in enumerate(guests):
                self.say("Booking and serving lunch", done, 2 * len(guests))
                body = {"offer": lunch["id"], "slot": slot["id"], "quantity": 1}
                if guest is not None:
                    body["for_member"] = guest.pk
                bookings.append(self.caller.call(booker, "POST", "bookings", body))
            self.told.booked = len(bookings)
        with self.at(day, time(12, 10)):
            for done, booking in enumerate(bookings):
                self.say("Booking and serving lunch", len(guests) + done, 2 * len(guests))
                if done < len(bookings) - 1:
                    self.caller.call(
                        cast.kitchen,
                        "POST",
                        "redemptions",
                        {"code": booking["code"]},
                    )
                    self.told.redeemed += 1
            self.say("Booking and serving lunch", 2 * len(guests), 2 * len(guests))
        with self.at(day, time(15, 0)):
            for member in self._well_off(40)[:6]:
                code = self.caller.call(member, "GET", "me/pay-code")["code"]
                self.caller.call(
                    cast.merchant,
                    "POST",
                    "charges",
                    {"pay_code": code, "amount": "0.40", "memo": "理发折扣 Haircut"},
                )
                self.told.charged += 1

    def _todays(self, offers: list[Any], price: str, day: date) -> tuple[Any, Any]:
        for offer in offers:
            if offer["price"] == f"0.{price}":
                for slot in offer["slots"]:
                    local = datetime.fromisoformat(slot["starts_at"]).astimezone(ZoneInfo(ZONE))
                    if local.date() == day:
                        return offer, slot
        raise StoryFailed(f"No lunch for {price} hundredths on {day}: {offers}")

    def _who_worked(self) -> list[Member]:
        """Return members of the kitchen's community who have earned, in a fixed order."""
        return list(
            Member.objects.filter(hour_logs__state="approved", community=self.town.communities[1])
            .distinct()
            .order_by("pk")
        )

    def _well_off(self, least: int) -> list[Member]:
        """Return those who worked and can spend `least` hundredths."""
        return [member for member in self._who_worked() if self._available(member) >= least]

    def _account_id(self, member: Member) -> int:
        account: int = self.caller.call(member, "GET", "me")["account"]["id"]
        return account

    def _available(self, member: Member) -> int:
        text: str = self.caller.call(member, "GET", "me")["account"]["available"]
        return int(text.replace(".", ""))
