"""A year of gifts, lunches and shop payments in one community."""

import random
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from config.demo.city_books import Books, Hold
from config.demo.city_bulk import Rows
from timebank.ledger.models import Posting, Transfer
from timebank.spending import codes
from timebank.spending.models import Booking, Charge, Offer, PayCode, Slot
from timebank.spending.services import bookings, charges

_AMOUNTS = (50, 80, 100, 150)
_ENDS = {
    Booking.State.REDEEMED: (Transfer.Phase.POST, Posting.Reason.REDEEMED),
    Booking.State.CANCELLED: (Transfer.Phase.VOID, Posting.Reason.CANCELLED),
    Booking.State.LAPSED: (Transfer.Phase.EXPIRE, Posting.Reason.LAPSED),
}


@dataclass(frozen=True)
class Shop:
    """A kitchen's or merchant's first offer, and the member who serves there."""

    offer: Offer
    staff: int


@dataclass(frozen=True, slots=True)
class _Meal:
    """A booking under way."""

    pk: int
    slot: int
    member: int
    hold: Hold
    booked_at: datetime
    code: str


class Spending:
    """Spends what `payers` (volunteers) earn; a part goes to `elders` first."""

    def __init__(
        self,
        books: Books,
        *,
        payers: list[int],
        elders: list[int],
        kitchen: Shop,
        merchants: list[Shop],
        meals_a_day: int,
        zone: ZoneInfo,
        chance: random.Random,
    ) -> None:
        self._books, self._chance, self._zone = books, chance, zone
        self._kitchen, self._merchants, self._meals_a_day = kitchen, merchants, meals_a_day
        self.purses = {pk: books.open(member=pk) for pk in [*payers, *elders]}
        self._payers, self._elders = payers, elders
        self._tills = {
            shop.offer.pk: books.open(organisation=shop.offer.partner.organisation_id)
            for shop in [kitchen, *merchants]
        }
        self._unfetched: list[_Meal] = []
        self._codes: set[str] = set()
        self.counts: Counter[str] = Counter()
        offer = kitchen.offer
        self._slots = Rows(
            Slot, "starts_at ends_at taken", offer_id=offer.pk, capacity=offer.daily_seats
        )
        self._bookings = Rows(
            Booking,
            "slot_id member_id booked_by_id state code hold_id booked_at expires_at closed_at "
            "redeemed_by_id",
            offer_id=offer.pk,
            quantity=1,
            price=offer.price,
        )
        self._pay_codes = Rows(PayCode, "member_id code created_at expires_at used_at")
        self._charges = Rows(Charge, "partner_id member_id charged_by_id amount memo posting_id at")

    def give(self, at: datetime) -> None:
        """Let a volunteer give half a credit to an elder, every other day."""
        giver = self._payer(150) if self._chance.random() < 0.5 else None
        if giver is None or not self._elders:
            return
        self._books.move(
            self.purses[giver],
            self.purses[self._chance.choice(self._elders)],
            50,
            at=at,
            actor=giver,
            key=f"give:{self._chance.getrandbits(256):064x}",
            reason=Posting.Reason.GIVEN,
            memo="请您吃顿午饭 Lunch",
        )
        self.counts["given"] += 1

    def lunch(self, on: date) -> None:
        """Book from 09:40, sometimes cancel at 11:00, and serve the day's meals."""
        offer = self._kitchen.offer
        if str(on.isoweekday()) not in offer.weekdays:
            return
        serves_from, serves_until = offer.serves_from or time(), offer.serves_until or time()
        starts_at = datetime.combine(on, serves_from, self._zone)
        slot = self._slots.new_id()
        meals = self._booked(slot, datetime.combine(on, time(9, 40), self._zone))
        kept = []
        cancelled_at = datetime.combine(on, time(11), self._zone)
        for meal in meals:
            if self._chance.random() < 0.04:
                cancelled_at += timedelta(seconds=30)
                self._close(meal, Booking.State.CANCELLED, cancelled_at, by=meal.member)
            else:
                kept.append(meal)
        ends_at = datetime.combine(on, serves_until, self._zone)
        self._slots.put(slot, starts_at, ends_at, len(kept))
        at = starts_at + timedelta(minutes=5)
        for meal in kept:
            if self._chance.random() < 0.03:
                self._unfetched.append(meal)
                continue
            at += timedelta(seconds=self._chance.randint(15, 300))
            self._close(meal, Booking.State.REDEEMED, at, by=self._kitchen.staff)

    def lapse(self, at: datetime) -> None:
        """Let go of the meals that nobody fetched the day before."""
        for meal in self._unfetched:
            self._close(meal, Booking.State.LAPSED, at, by=None)
        self._unfetched = []

    def shop(self, at: datetime) -> None:
        """Take the afternoon's payments at the merchants' counters."""
        for _visit in range(self._chance.randint(1, max(1, self._meals_a_day - 1))):
            at += timedelta(seconds=self._chance.randint(60, 1_500))
            amount = self._chance.choice(_AMOUNTS)
            payer = self._payer(amount)
            if payer is not None:
                self._charge(payer, self._chance.choice(self._merchants), amount, at)

    def _payer(self, amount: int) -> int | None:
        """Find a volunteer who can afford it, in a few tries: nobody has to spend."""
        for _try in range(6):
            member = self._chance.choice(self._payers)
            if self.purses[member].available >= amount:
                return member
        return None

    def _booked(self, slot: int, at: datetime) -> list[_Meal]:
        """Book the day's meals: elders who were given credits first."""
        price = self._kitchen.offer.price
        elders = [pk for pk in self._elders if self.purses[pk].available >= price][:2]
        meals = []
        for number in range(self._meals_a_day + self._chance.randint(-1, 2)):
            member = elders[number] if number < len(elders) else self._payer(price)
            if member is not None:
                at += timedelta(seconds=self._chance.randint(20, 280))
                meals.append(self._book(slot, member, at))
        return meals

    def _book(self, slot: int, member: int, at: datetime) -> _Meal:
        offer = self._kitchen.offer
        debit, credit = self.purses[member], self._tills[offer.pk]
        pk = self._bookings.new_id()
        _posting, transfer = self._books.move(
            debit,
            credit,
            offer.price,
            at=at,
            actor=member,
            key=f"booking:{pk}:hold",
            reason=Posting.Reason.BOOKED,
            memo=offer.title,
            source=(bookings.SOURCE, pk),
            phase=Transfer.Phase.PENDING,
        )
        self.counts["booked"] += 1
        hold = Hold(transfer, debit, credit, offer.price)
        return _Meal(pk, slot, member, hold, at, self._code())

    def _close(self, meal: _Meal, state: Booking.State, at: datetime, *, by: int | None) -> None:
        """Settle a booking and its hold."""
        phase, reason = _ENDS[state]
        self._books.move(
            meal.hold.debit,
            meal.hold.credit,
            meal.hold.amount,
            at=at,
            actor=by,
            key=f"booking:{meal.pk}:{state}",
            reason=reason,
            memo=self._kitchen.offer.title,
            source=(bookings.SOURCE, meal.pk),
            phase=phase,
            pending_of=meal.hold,
        )
        self.counts[str(state)] += 1
        self._put_booking(meal, state, at, by if state == Booking.State.REDEEMED else None)

    def _put_booking(
        self, meal: _Meal, state: str, closed_at: datetime | None, redeemed_by: int | None
    ) -> None:
        day = meal.booked_at.astimezone(self._zone).date() + timedelta(days=1)
        self._bookings.put(
            meal.pk, meal.slot, meal.member, meal.member, str(state), meal.code,
            meal.hold.transfer, meal.booked_at, datetime.combine(day, time(), self._zone),
            closed_at, redeemed_by,
        )  # fmt: skip

    def _charge(self, member: int, shop: Shop, amount: int, at: datetime) -> None:
        lives = timedelta(seconds=30)
        shown_at = at - timedelta(seconds=12)
        code = self._pay_codes.add(member, self._code(), shown_at, shown_at + lives, at)
        posting, _transfer = self._books.move(
            self.purses[member],
            self._tills[shop.offer.pk],
            amount,
            at=at,
            actor=shop.staff,
            key=f"charge:{code}",
            reason=Posting.Reason.CHARGED,
            memo=shop.offer.title,
            source=(charges.SOURCE, code),
        )
        title = shop.offer.title
        self._charges.add(shop.offer.partner_id, member, shop.staff, amount, title, posting, at)
        self.counts["charged"] += 1

    def _code(self) -> str:
        while True:
            code = "".join(self._chance.choices(codes.ALPHABET, k=codes.LENGTH))
            if code not in self._codes:
                self._codes.add(code)
                return code

    def write(self, *, pay_codes_from: datetime) -> None:
        """Write what the transfers paid for; pay codes older than a day go, as every night.

        They are written first, so that their ids, and the keys made of them, stay used up.
        """
        for meal in self._unfetched:
            self._put_booking(meal, Booking.State.BOOKED, None, None)
        self._slots.write()
        self._bookings.write()
        self._charges.write()
        self._pay_codes.write()
        PayCode.objects.filter(expires_at__lt=pay_codes_from).delete()
