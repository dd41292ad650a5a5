"""Many at once: seats never have two holders, nor members two seats, on either database."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from unittest import mock

import pytest
from django.db import IntegrityError, connection, transaction

from common.errors import DomainError
from common.unit_of_work import unit_of_work
from grids.people.models import Member
from patrols.shifts import guards, services
from patrols.shifts.models import Seat, Shift
from tests.factories import NOW, MemberFactory, ShiftFactory, Town, a_community, take


def at_once(calls: list[Callable[[], object]]) -> list[str]:
    """Run the calls in threads of their own; return "ok" or each refusal's code."""
    outcomes: list[str] = []
    gate = threading.Barrier(len(calls))

    def run(call: Callable[[], object]) -> None:
        try:
            gate.wait()
            call()
            outcomes.append("ok")
        except DomainError as error:
            outcomes.append(error.code)
        except Exception as error:  # noqa: BLE001 - the test shows it
            outcomes.append(repr(error))
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(outcomes)


def claim(shift: Shift, member: Member) -> Callable[[], object]:
    def call() -> None:
        with unit_of_work(member, now=NOW):
            services.claim_seat(shift_id=shift.pk, actor=member, now=NOW)

    return call


def open_seats_are_right() -> bool:
    return all(
        shift.open_seats == shift.seats.filter(state="open").count()
        for shift in Shift.objects.all()
    )


@pytest.mark.django_db(transaction=True)
def test_fifty_claims_fill_three_seats() -> None:
    town = a_community(volunteers=50)
    shift = ShiftFactory(community=town.community, cell=town.cells[0])
    outcomes = at_once([claim(shift, member) for member in town.volunteers])
    assert outcomes == ["ok"] * 3 + ["shift_full"] * 47
    holders = list(shift.seats.values_list("member", flat=True))
    assert len(set(holders)) == 3
    assert None not in holders
    shift.refresh_from_db()
    assert shift.open_seats == 0


@pytest.mark.django_db(transaction=True)
def test_one_person_racing_for_overlapping_shifts_gets_one() -> None:
    town = a_community(volunteers=1)
    shifts = [
        ShiftFactory(community=town.community, starts_at=NOW + timedelta(hours=1, minutes=15 * at))
        for at in range(6)
    ]
    outcomes = at_once([claim(shift, town.volunteers[0]) for shift in shifts])
    assert outcomes == ["ok"] + ["overlapping_shift"] * 5
    assert Seat.objects.filter(member=town.volunteers[0]).count() == 1
    assert open_seats_are_right()


@pytest.mark.django_db(transaction=True)
def test_claims_and_releases_keep_the_count() -> None:
    town = a_community(volunteers=12)
    shift = ShiftFactory(community=town.community, seats_total=6)
    for seat, member in zip(shift.seats.all(), town.volunteers, strict=False):
        take(seat, member)

    def release(member: Member) -> Callable[[], object]:
        def call() -> None:
            with unit_of_work(member, now=NOW):
                services.release_seat(shift_id=shift.pk, actor=member, now=NOW)

        return call

    calls = [release(member) for member in town.volunteers[:6]]
    calls += [claim(shift, member) for member in town.volunteers[6:]]
    outcomes = at_once(calls)
    assert set(outcomes) <= {"ok", "shift_full"}
    assert outcomes.count("ok") >= 6
    assert open_seats_are_right()


@pytest.fixture
def unguarded() -> Iterator[None]:
    guards.remove(connection)
    yield
    Seat.objects.all().delete()
    guards.install(connection)


@pytest.mark.django_db(transaction=True)
@pytest.mark.postgres
def test_control_without_locks_one_person_gets_two(unguarded: None) -> None:
    """The same race with the member's lock and the constraint off does overbook."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer at a time: there is no lock to leave out")
    town = a_community(volunteers=1)
    shifts = [ShiftFactory(community=town.community) for _ in range(6)]
    gate = threading.Barrier(6)
    fit = services.seats._require_fit

    def slowly(member: Member, shift: Shift) -> None:
        fit(member, shift)
        gate.wait(10)

    with (
        mock.patch.object(services.seats, "_lock_members", return_value={}),
        mock.patch.object(services.seats, "_require_fit", slowly),
    ):
        outcomes = at_once([claim(shift, town.volunteers[0]) for shift in shifts])
    assert outcomes == ["ok"] * 6
    assert Seat.objects.filter(member=town.volunteers[0]).count() == 6


@pytest.mark.django_db
def test_the_database_refuses_overlap_past_the_services(town: Town) -> None:
    first = ShiftFactory(community=town.community)
    second = ShiftFactory(community=town.community, starts_at=first.ends_at - timedelta(seconds=1))
    third = ShiftFactory(community=town.community, starts_at=first.ends_at)
    member = town.volunteers[0]
    take(first.seats.first(), member)
    with pytest.raises(IntegrityError, match=guards.NAME), transaction.atomic():
        Seat.objects.filter(pk=second.seats.first().pk).update(member=member, state="assigned")
    with pytest.raises(IntegrityError, match=guards.NAME), transaction.atomic():
        Seat.objects.create(
            shift=second,
            index=9,
            member=member,
            state="claimed",
            starts_at=second.starts_at,
            ends_at=second.ends_at,
        )
    with pytest.raises(IntegrityError), transaction.atomic():
        Seat.objects.filter(pk=first.seats.last().pk).update(member=member, state="claimed")
    # Back to back is no overlap, a missed shift no presence, and others are free.
    take(third.seats.first(), member)
    take(second.seats.first(), member, "no_show")
    take(second.seats.last(), MemberFactory())
    with pytest.raises(IntegrityError, match=guards.NAME), transaction.atomic():
        Seat.objects.filter(shift=second, member=member).update(state="checked_in")
    with pytest.raises(IntegrityError, match=guards.NAME), transaction.atomic():
        Seat.objects.filter(shift=third, member=member).update(
            starts_at=third.starts_at - timedelta(minutes=1)
        )


@pytest.mark.django_db
def test_a_missing_guard_is_reported_and_put_back(town: Town) -> None:
    assert guards.check_guards(databases=["default"]) == []
    assert guards.check_guards(databases=None) == []
    guards.remove(connection)
    assert {error.id for error in guards.check_guards(databases=["default"])} == {"shifts.E001"}
    guards.install(connection)
    guards.install(connection)
    assert guards.missing(connection) == []
