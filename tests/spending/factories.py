"""A kitchen with a lunch, a shop, and guests with credits."""

from dataclasses import dataclass
from datetime import time
from typing import Any

from common.unit_of_work import unit_of_work
from grids.people.models import Member
from tests.factories import NOW, MemberFactory, OrganisationFactory, Town, grant
from tests.ledger.factories import member_account
from timebank.ledger.models import Account
from timebank.spending import services
from timebank.spending.models import Offer, Partner, Slot


@dataclass
class Market:
    """`lunch` costs 1.00, 11:30–13:00 in Shanghai, `seats` a day; `soap` costs 2.00, no seats."""

    kitchen: Partner
    shop: Partner
    cook: Member
    keeper: Member
    lunch: Offer
    soap: Offer
    guest: Member
    purse: Account

    @property
    def slots(self) -> list[Slot]:
        return list(self.lunch.slots.order_by("starts_at"))


def partner(town: Town, kind: str) -> tuple[Partner, Member]:
    """Make a partner and one of its staff; needs an open unit of work."""
    organisation = OrganisationFactory(community=town.community)
    staff = MemberFactory(community=town.community)
    grant(staff, "partner_staff", organisation=organisation)
    made = services.create_partner(actor=None, organisation=organisation, kind=kind, now=NOW)
    return made, staff


def a_market(town: Town, *, seats: int = 5, credits_each: int = 1000) -> Market:
    """Build a Market whose guest has credits."""
    with unit_of_work(now=NOW):
        kitchen, cook = partner(town, "kitchen")
        shop, keeper = partner(town, "merchant")
        lunch = services.create_offer(
            actor=cook, partner=kitchen, kind="meal", title="午餐", price=100, now=NOW,
            daily_seats=seats, serves_from=time(11, 30), serves_until=time(13, 0),
        )  # fmt: skip
        soap = services.create_offer(
            actor=None, partner=shop, kind="goods", title="肥皂", price=200, now=NOW
        )
        guest = town.volunteers[0]
        purse = member_account(town.community, member=guest, amount=credits_each)
    return Market(kitchen, shop, cook, keeper, lunch, soap, guest, purse)


def book(market: Market, **changes: Any) -> Any:
    """Book lunch for the guest, in a unit of work of its own."""
    now = changes.pop("now", NOW)
    actor = changes.pop("actor", market.guest)
    wanted = {"offer_id": market.lunch.pk, "slot_id": market.slots[0].pk, **changes}
    with unit_of_work(actor, now=now):
        return services.book(actor=actor, now=now, **wanted)
