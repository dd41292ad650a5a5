"""Tell programs and people what is in the demo: ids, phones, tokens, sign-in links."""

from collections.abc import Iterable
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

from common import clock
from common.unit_of_work import unit_of_work
from config.demo.names import phone
from config.demo.town import Cast
from grids.people.demo_links import demo_sign_in_link
from grids.people.models import ApiToken, Member
from grids.people.services import issue_token
from grids.places.models import Cell, Community
from patrols.shifts.models import Seat, Shift
from timebank.ledger.models import Account
from timebank.spending.models import Offer

_LABEL = "demo"
_VOLUNTEERS = 60
_SHOWN = (
    "captain",
    "reviewer",
    "bookkeeper",
    "elder",
    "neighbour",
    "kitchen",
    "merchant",
    "administrator",
)
# The demo's people with duties, by the number of their phone (see town._cast).
_NUMBERS = {
    "captain": 1,
    "administrator": 2,
    "reviewer": 3,
    "bookkeeper": 4,
    "dispatcher": 5,
    "auditor": 6,
    "elder": 7,
    "neighbour": 9,
    "kitchen": 10,
    "merchant": 11,
}


def cast_of() -> Cast:
    """Find the demo's people again in a database that was built before."""
    found = {name: Member.objects.get(phone=phone(90_000 + n)) for name, n in _NUMBERS.items()}
    without = Member.objects.get(proxies__proxy=found["neighbour"])
    return Cast(**found, elder_without_phone=without)


def describe(*, cast: Cast, now: datetime) -> dict[str, Any]:
    """Return what `demo --json` writes, all of the captain's community, with fresh tokens."""
    community = _home_of(cast)
    volunteers = _volunteers(community, {getattr(cast, field.name).pk for field in fields(cast)})
    people = {name: getattr(cast, name) for name in _NUMBERS}
    with unit_of_work() as work:
        everybody = [*people.values(), *volunteers]
        ApiToken.objects.filter(member__in=everybody, label=_LABEL).delete()
        tokens = {
            member.pk: issue_token(member=member, label=_LABEL, now=work.now)
            for member in everybody
        }
    soon = Shift.objects.filter(
        community=community,
        state=Shift.State.SCHEDULED,
        starts_at__gt=now,
        starts_at__lt=now + timedelta(days=8),
    )
    return {
        **{name: _entry(member, tokens) for name, member in people.items()},
        "volunteers": [_entry(member, tokens) for member in volunteers],
        "community": community.pk,
        "cells": list(
            Cell.objects.filter(community=community, retired_at=None)
            .order_by("code")
            .values_list("pk", flat=True)
        ),
        "shifts": list(soon.order_by("starts_at", "pk").values_list("pk", flat=True)),
        "offers": list(
            Offer.objects.filter(partner__community=community, active=True)
            .order_by("pk")
            .values_list("pk", flat=True)
        ),
    }


def sign_in_links(cast: Cast) -> Iterable[tuple[str, Member, str]]:
    """Yield (role, member, path) for each link that `make demo` prints."""
    known = _volunteers(_home_of(cast), set())
    now = clock.now()
    ahead = Seat.objects.filter(
        member__in=known, state__in=(Seat.State.CLAIMED, Seat.State.ASSIGNED), starts_at__gt=now
    ).values_list("member", flat=True)
    # Somebody whose Today shows what it is for; where nobody is on duty, who has most credits.
    on_duty = set(ahead)
    volunteer = next((member for member in known if member.pk in on_duty), known[0])
    yield "volunteer", volunteer, demo_sign_in_link(volunteer)
    for name in _SHOWN:
        member = getattr(cast, name)
        yield name, member, demo_sign_in_link(member)


def _home_of(cast: Cast) -> Community:
    """Return the community that the demo's people live in."""
    assert cast.captain.community is not None
    return cast.captain.community


def _volunteers(community: Community, but: set[int]) -> list[Member]:
    """Choose volunteers of the community, those with most credits first."""
    rich = Account.objects.filter(
        kind=Account.Kind.MEMBER, member__community=community, balance__gt=0
    ).order_by("-balance", "pk")
    order = {member: place for place, member in enumerate(rich.values_list("member", flat=True))}
    known = list(
        Member.objects.filter(
            community=community, limits__isnull=False, phone__isnull=False, roles__isnull=True
        )
        .exclude(pk__in=but)
        .order_by("pk")
    )
    return sorted(known, key=lambda member: order.get(member.pk, len(order)))[:_VOLUNTEERS]


def _entry(member: Member, tokens: dict[int, str]) -> dict[str, Any]:
    return {"id": member.pk, "phone": str(member.phone), "token": tokens[member.pk]}
