"""Claim, release and assign: every refusal, what they leave behind, and what they cost."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from common.errors import DomainError, NotAllowed, NotFound
from common.models import Audit
from common.unit_of_work import OutsideUnitOfWork, unit_of_work
from grids.people.models import Member, MemberSkill, Skill
from grids.people.queries import members_visible_to
from grids.people.registries import export_parts
from grids.people.services import erase_member
from patrols.rosters.models import Limits
from patrols.shifts import jobs, services
from patrols.shifts.models import Seat, Shift
from realtime.models import Event
from tests.factories import NOW, CommunityFactory, MemberFactory, ShiftFactory, Town, grant, take
from tests.rosters_app.factories import evenings

pytestmark = pytest.mark.django_db


def claim(shift: Shift, member: Member, now: datetime = NOW) -> Seat:
    with unit_of_work(member, now=now):
        return services.claim_seat(shift_id=shift.pk, actor=member, now=now)


def assign(shift: Shift, member: Member, actor: Member, now: datetime = NOW) -> Seat:
    with unit_of_work(actor, now=now):
        return services.assign_seat(shift_id=shift.pk, member_id=member.pk, actor=actor, now=now)


def release(shift: Shift, actor: Member, member: Member | None = None, now: datetime = NOW) -> Seat:
    with unit_of_work(actor, now=now):
        return services.release_seat(
            shift_id=shift.pk, actor=actor, now=now, member_id=member.pk if member else None
        )


def a_shift(town: Town, **fields: object) -> Shift:
    return ShiftFactory(community=town.community, cell=town.cells[0], **fields)


def test_a_service_refuses_to_run_alone(town: Town) -> None:
    with pytest.raises(OutsideUnitOfWork):
        services.claim_seat(shift_id=a_shift(town).pk, actor=town.volunteers[0], now=NOW)


def test_a_claim_takes_the_first_open_seat(town: Town) -> None:
    shift = a_shift(town)
    take(shift.seats.get(index=1), town.volunteers[1])
    seat = claim(shift, town.volunteers[0])
    seat.refresh_from_db()
    shift.refresh_from_db()
    assert (seat.index, seat.state, seat.member, seat.taken_at) == (
        2, "claimed", town.volunteers[0], NOW,
    )  # fmt: skip
    assert shift.open_seats == 1
    audit = Audit.objects.get()
    assert (audit.action, audit.subject_id, audit.actor) == (
        "seat.claim", seat.pk, town.volunteers[0],
    )  # fmt: skip


def test_only_captain_and_member_read_the_name(town: Town) -> None:
    shift, member = a_shift(town), town.volunteers[0]
    seat = claim(shift, member)
    data = {row.topic.name: row.data for row in Event.objects.select_related("topic")}
    public = data.pop(f"community:{town.community.pk}")
    assert (public["shift"], public["seat"], public["open_seats"]) == (shift.pk, seat.pk, 2)
    assert public["member"] is None
    assert set(data) == {f"cell:{town.cells[0].pk}", f"member:{member.pk}"}
    assert all(row["member"]["name"] == member.display_name for row in data.values())


def refusal(code: str) -> "pytest.RaisesExc[DomainError]":
    return pytest.RaisesExc(DomainError, check=lambda error: error.code == code)


def test_refusals_of_a_claim(town: Town) -> None:
    member, others = town.volunteers[0], town.volunteers[1:]
    full = a_shift(town, seats_total=1)
    take(full.seats.get(), others[0])
    with refusal("shift_full"):
        claim(full, member)
    mine = a_shift(town, starts_at=NOW + timedelta(hours=20))
    claim(mine, member)
    with refusal("already_claimed"):
        claim(mine, member)
    with refusal("overlapping_shift"):
        claim(a_shift(town, starts_at=mine.ends_at - timedelta(minutes=1)), member)
    town.community.least_rest_minutes = 60
    town.community.save()
    with refusal("rest_too_short"):
        claim(a_shift(town, starts_at=mine.ends_at + timedelta(minutes=59)), member)
    with refusal("rest_too_short"):
        claim(
            a_shift(
                town,
                starts_at=mine.starts_at - timedelta(minutes=149),
                ends_at=mine.starts_at - timedelta(minutes=59),
            ),
            member,
        )
    claim(a_shift(town, starts_at=mine.ends_at + timedelta(minutes=60)), member)
    with refusal("shift_cancelled"):
        claim(a_shift(town, state="cancelled"), member)
    assert Audit.objects.count() == 2


def test_claiming_closes_when_a_check_in_would_be_late(town: Town) -> None:
    shift = a_shift(town, late_minutes=15)
    closes = shift.starts_at + timedelta(minutes=15)
    claim(shift, town.volunteers[0], closes)
    with refusal("shift_started"):
        claim(shift, town.volunteers[1], closes + timedelta(seconds=1))


def test_a_skill_must_hold_on_the_shifts_date(town: Town) -> None:
    shift, member = a_shift(town, required_skills=["first-aid"]), town.volunteers[0]
    with pytest.raises(services.MissingSkill) as refused:
        claim(shift, member)
    assert refused.value.data == {"skills": ["first-aid"]}
    assert refused.value.status == 403
    has = MemberSkill.objects.create(
        member=member,
        skill=Skill.objects.create(code="first-aid", name="First aid"),
        expires_on=shift.local_date - timedelta(days=1),
    )
    with refusal("missing_skill"):
        claim(shift, member)
    has.expires_on = shift.local_date
    has.save()
    claim(shift, member)


def test_a_missed_shift_blocks_nothing_else(town: Town) -> None:
    member, missed = town.volunteers[0], a_shift(town)
    take(missed.seats.first(), member, "no_show")
    claim(a_shift(town), member)
    with refusal("already_claimed"):
        claim(missed, member)


def test_shifts_are_seen_across_the_district_and_no_further(town: Town) -> None:
    neighbour = CommunityFactory(parent=town.community.parent)
    claim(a_shift(town), MemberFactory(community=neighbour))
    stranger = MemberFactory(community=CommunityFactory())
    with pytest.raises(NotFound):
        claim(a_shift(town), stranger)
    with pytest.raises(NotFound):
        claim(a_shift(town), MemberFactory(community=None))
    grant(stranger, "captain", cell=town.cells[1])
    claim(a_shift(town), Member.objects.get(pk=stranger.pk))


def test_a_captain_assigns(town: Town) -> None:
    shift, member = a_shift(town), town.volunteers[0]
    seat = assign(shift, member, town.captain, shift.ends_at - timedelta(minutes=1))
    assert (seat.state, seat.member) == ("assigned", member)
    assert Event.objects.filter(type="seat.assigned").count() == 3
    with refusal("already_claimed"):
        assign(shift, member, town.captain)
    with refusal("shift_over"):
        assign(shift, town.volunteers[1], town.captain, shift.ends_at)
    with pytest.raises(NotFound):
        assign(shift, MemberFactory(community=CommunityFactory()), town.captain)
    with pytest.raises(NotFound):
        assign(shift, MemberFactory(community=town.community, is_active=False), town.captain)
    with pytest.raises(NotAllowed):
        assign(shift, town.volunteers[1], town.volunteers[2])


def test_a_captain_leads_only_their_cell(town: Town) -> None:
    other = MemberFactory(community=town.community)
    grant(other, "captain", cell=town.cells[1])
    with pytest.raises(NotAllowed):
        assign(a_shift(town), town.volunteers[0], other)
    theirs = ShiftFactory(community=town.community, cell=town.cells[1])
    with pytest.raises(NotFound):
        assign(theirs, MemberFactory(community=town.community.parent), other)
    assign(theirs, town.volunteers[1], other)
    # A gap may be filled with anybody of the community, whose pages the captain can't open.
    assign(theirs, town.volunteers[0], other)
    assert not members_visible_to(other).filter(pk=town.volunteers[0].pk).exists()


def test_release(town: Town) -> None:
    shift, member, other = a_shift(town), *town.volunteers[:2]
    with refusal("not_your_seat"):
        release(shift, member)
    claim(shift, member)
    with pytest.raises(NotAllowed):
        release(shift, other, member)
    with refusal("shift_started"):
        release(shift, member, now=shift.starts_at)
    seat = release(shift, member, now=shift.starts_at - timedelta(seconds=1))
    seat.refresh_from_db()
    shift.refresh_from_db()
    assert (seat.state, seat.member, seat.taken_at, shift.open_seats) == ("open", None, None, 3)
    assert Event.objects.filter(type="seat.released").count() == 3
    claim(shift, member)
    release(shift, town.captain, member, now=shift.starts_at + timedelta(minutes=5))
    claim(shift, member)
    with refusal("shift_over"):
        release(shift, town.captain, member, now=shift.ends_at)
    release(shift, member)
    Seat.objects.filter(pk=claim(shift, member).pk).update(state="checked_in")
    with pytest.raises(DomainError) as refused:
        release(shift, town.captain, member)
    assert refused.value.code == "wrong_state"
    assert refused.value.data == {"from": "checked_in", "to": "open", "by": "captain"}


def test_check_in_and_out_move_the_seat(town: Town) -> None:
    shift, member = a_shift(town), town.volunteers[0]
    seat = claim(shift, member)
    with unit_of_work(member, now=NOW):
        services.mark_checked_in(seat=seat, actor=member, now=NOW)
        with refusal("wrong_state"):
            services.mark_checked_in(seat=seat, actor=member, now=NOW)
        services.mark_checked_out(seat=seat, actor=member, now=NOW)
        services.mark_checked_in(seat=seat, actor=member, now=NOW)
    seat.refresh_from_db()
    assert seat.state == "checked_out"
    types = Event.objects.filter(topic__name=f"member:{member.pk}").order_by("seq")
    assert [event.type for event in types] == [
        "seat.claimed", "seat.checked_in", "seat.checked_out",
    ]  # fmt: skip


def test_no_show_is_for_captains_and_late_evidence_undoes_it(town: Town) -> None:
    shift, member = a_shift(town), town.volunteers[0]
    seat = claim(shift, member)
    late = shift.ends_at
    with unit_of_work(member, now=late), pytest.raises(NotAllowed):
        services.mark_no_show(seat=seat, actor=member, now=late)
    with unit_of_work(town.captain, now=NOW), refusal("too_early"):
        services.mark_no_show(seat=seat, actor=town.captain, now=NOW)
    with unit_of_work(town.captain, now=late):
        services.mark_no_show(seat=seat, actor=town.captain, now=late)
        assert seat.state == "no_show"
        services.mark_checked_in(seat=seat, actor=member, now=late)
    seat.refresh_from_db()
    assert seat.state == "checked_in"


def test_who_never_checked_in_is_marked_an_hour_after_the_end(town: Town) -> None:
    shift, called_off = a_shift(town), a_shift(town, state="cancelled")
    for index, state in enumerate(("claimed", "assigned", "checked_in"), start=1):
        take(shift.seats.get(index=index), town.volunteers[index - 1], state)
    take(called_off.seats.first(), town.volunteers[3])
    jobs.mark_missed(shift.ends_at + timedelta(minutes=59))
    assert not Seat.objects.filter(state="no_show").exists()
    due = shift.ends_at + timedelta(hours=1)
    jobs.mark_missed(due)
    jobs.mark_missed(due)
    states = shift.seats.order_by("index").values_list("state", flat=True)
    assert list(states) == ["no_show", "no_show", "checked_in"]
    assert called_off.seats.filter(state="claimed").exists()
    cell = Event.objects.filter(type="seat.no_show", topic__name=f"cell:{town.cells[0].pk}")
    assert [row.data["seat"] for row in cell.order_by("seq")] == [
        seat.pk for seat in shift.seats.filter(state="no_show").order_by("pk")
    ]
    assert Audit.objects.filter(action="seat.no_show", actor=None).count() == 2


@pytest.mark.expects_errors
def test_one_shift_that_fails_does_not_hold_up_the_others(town: Town, monkeypatch: Any) -> None:
    poisoned, sound = a_shift(town), a_shift(town)
    for at, shift in enumerate((poisoned, sound)):
        take(shift.seats.first(), town.volunteers[at])
    real = services.close_missed_seats

    def close(*, shift_id: int, now: datetime) -> Any:
        if shift_id == poisoned.pk:
            raise ZeroDivisionError
        return real(shift_id=shift_id, now=now)

    monkeypatch.setattr(services, "close_missed_seats", close)
    due = sound.ends_at + timedelta(hours=1)
    jobs.mark_missed(due)
    assert [seat.shift_id for seat in Seat.objects.filter(state="no_show")] == [sound.pk]
    monkeypatch.undo()
    jobs.mark_missed(due)
    assert Seat.objects.filter(state="no_show").count() == 2


def test_late_evidence_never_puts_somebody_in_two_places(town: Town) -> None:
    member, missed = town.volunteers[0], a_shift(town)
    seat = take(missed.seats.first(), member, "no_show")
    claim(a_shift(town), member)
    with unit_of_work(member, now=NOW), refusal("overlapping_shift"), transaction.atomic():
        services.mark_checked_in(seat=seat, actor=member, now=NOW)


def test_erasure_frees_coming_seats_and_keeps_history(town: Town) -> None:
    member = evenings(town.volunteers[0])
    coming, out, past = (
        a_shift(town, starts_at=NOW + timedelta(hours=hours)) for hours in (20, -1, -50)
    )
    for shift, state in ((coming, "assigned"), (out, "checked_in"), (past, "checked_out")):
        take(shift.seats.first(), member, state)
    assert [row["state"] for row in export_parts["shifts"](member)] == [
        "assigned", "checked_in", "checked_out",
    ]  # fmt: skip
    assert len(export_parts["availability"](member)["windows"]) == 7
    with unit_of_work(member, now=NOW):
        erase_member(member=member, actor=member, now=NOW)
    assert sorted(Seat.objects.filter(member=member).values_list("state", flat=True)) == [
        "checked_in", "checked_out",
    ]  # fmt: skip
    coming.refresh_from_db()
    assert coming.open_seats == 3
    assert not member.availabilities.exists()
    assert not Limits.objects.filter(member=member).exists()


def test_a_claim_costs_few_queries_whoever_watches(town: Town) -> None:
    counts = []
    for _ in range(2):
        shift = a_shift(town, starts_at=NOW + timedelta(days=1 + len(counts)))
        member = Member.objects.get(pk=town.volunteers[0].pk)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            claim(shift, member)
        words = ("BEGIN", "SAVEPOINT", "RELEASE", "COMMIT")
        counts.append(sum(not query["sql"].startswith(words) for query in queries.captured_queries))
    # 12 at the most: a topic more or less must not make a claim dearer unseen.
    assert counts[0] == counts[1] <= 12
