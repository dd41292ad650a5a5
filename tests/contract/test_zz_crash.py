"""kill -9 in the middle of everything: the books balance and nothing is half-written."""

import threading
import time
from datetime import UTC, datetime
from typing import Any

import httpx

from tests.contract.conftest import Shifts
from tests.contract.site import Person, Site

from .test_checkins import body_of
from .test_ledger import hundredths
from .test_spending import book, free_slot

Call = tuple[Person, str, dict[str, Any], str]


def send(call: Call) -> httpx.Response:
    person, path, body, key = call
    return person.post(path, body, key=key)


def test_kill_in_the_middle(
    site: Site,
    captain: Person,
    volunteers: list[Person],
    shifts: Shifts,
    purse: list[Person],
    lunch: dict[str, Any],
    inside: dict[str, float],
    board: str,
) -> None:
    seats = [shifts.seated_now() for _ in range(10)]
    slot = free_slot(purse[0], lunch, least=15)
    to = volunteers[36].account()
    payer, guest = purse[1].account(), purse[0].account()
    booking = {"offer": lunch["id"], "slot": slot["id"], "quantity": 1}
    now = datetime.now(UTC)
    calls: list[Call] = []
    for n in range(40):
        calls.append((purse[1], "transfers", {"to": to["id"], "amount": "0.07"}, f"crash-t{n}"))
        if n < 12:
            calls.append((purse[0], "bookings", booking, f"crash-b{n}"))
        if n < 10:
            person, _shift, seat = seats[n]
            calls.append((person, "checkins", body_of(seat, "in", now, **inside), f"crash-c{n}"))
    answered: dict[str, httpx.Response] = {}
    waiting = list(reversed(calls))
    lock = threading.Lock()
    with site.socket(captain.token) as socket:
        head = socket.subscribe(board)

    def work() -> None:
        while True:
            with lock:
                if not waiting:
                    return
                call = waiting.pop()
            try:
                answer = send(call)
            except httpx.HTTPError:
                continue
            with lock:
                answered[call[3]] = answer

    threads = [threading.Thread(target=work) for _ in range(12)]
    for thread in threads:
        thread.start()
    while len(answered) < 15:
        time.sleep(0.005)
    site.kill()
    for thread in threads:
        thread.join()
    assert 15 <= len(answered) < len(calls), "the server was not killed in the middle"
    assert {answer.status_code for answer in answered.values()} == {201}
    said = site.manage("verify_ledger", check=False)
    assert said.returncode == 0, said.stdout + said.stderr
    site.start()

    # What was answered was kept; everything else can simply be sent again.
    for call in calls:
        answer = send(call)
        assert answer.status_code == 201, answer.text
        first = answered.get(call[3])
        if first is not None:
            assert answer.headers["Idempotent-Replayed"] == "true"
            assert answer.json() == first.json()
    assert hundredths(purse[1].account()["balance"]) == hundredths(payer["balance"]) - 40 * 7
    assert hundredths(volunteers[36].account()["balance"]) == hundredths(to["balance"]) + 40 * 7
    price = 12 * hundredths(lunch["price"])
    assert hundredths(purse[0].account()["held"]) == hundredths(guest["held"]) + price
    assert free_slot(purse[0], lunch)["left"] == slot["left"] - 12
    for _person, shift, _seat in seats:
        assert captain.get(f"shifts/{shift['id']}")["seats"][0]["state"] == "checked_in"
    with site.socket(captain.token) as socket:
        end = socket.subscribe(board, since=head)
        told = [socket.take() for _ in range(end - head)]
        assert [frame["seq"] for frame in told] == list(range(head + 1, end + 1))
        came = [frame["data"]["seat"] for frame in told if frame["type"] == "seat.checked_in"]
        assert sorted(came) == sorted(seat for _p, _s, seat in seats)
    assert site.http.get("/readyz").status_code == 200
    assert book(purse[0], lunch, free_slot(purse[0], lunch)["id"]).status_code == 201
    said = site.manage("verify_ledger", check=False)
    assert said.returncode == 0, said.stdout + said.stderr
