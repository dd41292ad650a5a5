"""Logging, deciding, paying, and changing what an hour is worth."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from common.errors import BadInput, DomainError, NotAllowed, NotFound
from common.models import Audit
from common.unit_of_work import OutsideUnitOfWork, unit_of_work
from grids.people.models import Household, Member, Proxy
from realtime.models import Event
from tests.earning.factories import logged
from tests.factories import NOW, MemberFactory, Town, a_community, grant
from timebank.earning import queries, services
from timebank.earning.models import HourLog, RuleLine, RuleVersion
from timebank.earning.rates import Line
from timebank.earning.rules import AlreadyDecided, EnteredByYou, OwnHours
from timebank.earning.wording import sentences
from timebank.ledger.models import Account, Posting

pytestmark = pytest.mark.django_db


def approve(hour: HourLog, actor: Member) -> HourLog:
    with unit_of_work(actor, now=NOW):
        return services.approve_hours(hour_log_id=hour.pk, actor=actor, now=NOW)


def reject(hour: HourLog, actor: Member, reason: str = "没有来") -> HourLog:
    with unit_of_work(actor, now=NOW):
        return services.reject_hours(hour_log_id=hour.pk, actor=actor, reason=reason, now=NOW)


def balance(member: Member) -> int:
    return sum(Account.objects.filter(member=member).values_list("balance", flat=True))


def events(member: Member) -> list[tuple[str, dict[str, Any]]]:
    rows = Event.objects.filter(topic__name=f"member:{member.pk}", type__startswith="hours.")
    return list(rows.order_by("seq").values_list("type", "data"))


def test_ninety_minutes_wait_and_then_earn_three_quarters_of_a_credit(town: Town) -> None:
    hour = logged(town)
    who = hour.member
    assert (hour.state, hour.credits_earned, balance(who)) == ("pending", 0, 0)

    approve(hour, town.reviewer)
    hour.refresh_from_db()
    assert (hour.state, hour.decided_by, hour.automatic) == ("approved", town.reviewer, False)
    assert (hour.credits_earned, hour.counted_minutes, balance(who)) == (75, 90, 75)
    posting = Posting.objects.get()
    assert hour.posting == posting
    assert (posting.key, posting.reason, posting.actor) == (
        f"hours:{hour.pk}", "earned", town.reviewer,
    )  # fmt: skip
    assert (posting.source_type, posting.source_id) == ("hour_log", hour.pk)
    assert posting.rule_version == hour.rule_version_id
    transfer = posting.transfers.get()
    assert (transfer.debit.kind, transfer.amount) == ("issue", 75)
    assert events(who) == [
        ("hours.logged", {"hours": hour.pk, "minutes": 90, "state": "pending"}),
        (
            "hours.approved",
            {"hours": hour.pk, "minutes": 90, "credits": "0.75", "automatic": False},
        ),
    ]
    assert set(Audit.objects.values_list("action", flat=True)) >= {
        "hours.logged", "hours.approved",
    }  # fmt: skip


def test_why_is_told_in_sentences(town: Town) -> None:
    hour = approve(logged(town), town.reviewer)
    told = sentences(queries.why(HourLog.objects.get(pk=hour.pk)))
    assert len(told) == 3
    assert "90" in told[1]
    assert "0.50" in told[1]
    assert told[2].endswith("0.75")


def test_trusted_hours_are_paid_in_the_same_commit_where_the_community_allows(town: Town) -> None:
    town.community.auto_approve_hours = True
    hour = logged(town, trusted=True)
    hour.refresh_from_db()
    assert (hour.state, hour.automatic, hour.decided_by) == ("approved", True, None)
    assert balance(hour.member) == 75
    assert [kind for kind, _ in events(hour.member)] == ["hours.logged", "hours.approved"]


@pytest.mark.parametrize(("trusted", "allowed"), [(True, False), (False, True), (False, False)])
def test_otherwise_they_wait(town: Town, trusted: bool, allowed: bool) -> None:
    town.community.auto_approve_hours = allowed
    assert logged(town, trusted=trusted).state == "pending"
    assert not Posting.objects.exists()


def test_a_failure_after_the_approval_leaves_no_credits(town: Town) -> None:
    town.community.auto_approve_hours = True
    with pytest.raises(RuntimeError), unit_of_work(town.volunteers[0], now=NOW):  # noqa: PT012
        services.log_hours(
            member=town.volunteers[0], community=town.community, category="patrol", title="x",
            worked_on=date(2026, 6, 1), minutes=90, source_type="seat", source_id=1,
            evidence={}, trusted=True, actor=town.volunteers[0], now=NOW,
        )  # fmt: skip
        assert Posting.objects.exists()
        raise RuntimeError
    assert not HourLog.objects.exists()
    assert not Posting.objects.exists()
    assert balance(town.volunteers[0]) == 0


def test_the_same_source_is_logged_once(town: Town) -> None:
    logged(town, source_id=5)
    with pytest.raises(services.HoursLoggedTwice):
        logged(town, town.volunteers[1], source_id=5)


def test_services_need_a_unit_of_work_and_a_minute(town: Town) -> None:
    with pytest.raises(ValueError, match="at least one minute"):
        logged(town, minutes=0)
    with pytest.raises(OutsideUnitOfWork):
        services.log_hours(
            member=town.volunteers[0], community=town.community, category="patrol", title="x",
            worked_on=date(2026, 6, 1), minutes=9, source_type="seat", source_id=1,
            evidence={}, trusted=True, actor=None, now=NOW,
        )  # fmt: skip


def test_nobody_approves_their_own_hours(town: Town) -> None:
    hour = logged(town, town.reviewer)
    for decide in (approve, reject):
        with pytest.raises(OwnHours):
            decide(hour, town.reviewer)
    approve(hour, town.captain)
    assert balance(town.reviewer) == 75


def test_nor_those_of_somebody_they_act_for(town: Town) -> None:
    hour = logged(town)
    proxy = Proxy.objects.create(
        member=hour.member, proxy=town.reviewer, starts_on=date(2020, 1, 1)
    )
    with pytest.raises(OwnHours):
        approve(hour, town.reviewer)
    assert not queries.hours_to_review(town.reviewer).exists()
    proxy.ends_on = date(2020, 2, 1)
    proxy.save()
    assert approve(hour, town.reviewer).state == "approved"


def test_nor_those_of_their_household(town: Town) -> None:
    hour = logged(town)
    home = Household.objects.create(community=town.community, name="王家")
    Member.objects.filter(pk__in=[hour.member_id, town.reviewer.pk]).update(household=home)
    town.reviewer.refresh_from_db()
    with pytest.raises(OwnHours):
        approve(hour, town.reviewer)
    assert not queries.hours_to_review(town.reviewer).exists()


def test_nobody_decides_on_what_they_entered(town: Town) -> None:
    hour = logged(town, actor=town.captain)
    with pytest.raises(EnteredByYou):
        approve(hour, town.captain)
    with pytest.raises(EnteredByYou):
        reject(hour, town.captain)
    assert not queries.hours_to_review(town.captain).exists()
    assert approve(hour, town.reviewer).decided_by == town.reviewer


def test_the_database_holds_the_separation_of_duties(town: Town) -> None:
    hour = logged(town, actor=town.captain)
    for decider in (hour.member, town.captain):
        with pytest.raises(IntegrityError), transaction.atomic():
            HourLog.objects.filter(pk=hour.pk).update(
                state="approved", decided_by=decider, decided_at=NOW
            )
    with pytest.raises(IntegrityError), transaction.atomic():
        HourLog.objects.filter(pk=hour.pk).update(state="approved")


def test_a_decision_is_final(town: Town) -> None:
    approved, rejected = logged(town), logged(town)
    approve(approved, town.reviewer)
    reject(rejected, town.reviewer)
    for hour in (approved, rejected):
        for decide in (approve, reject):
            with pytest.raises(AlreadyDecided) as refusal:
                decide(hour, town.captain)
            assert refusal.value.data["state"] in {"approved", "rejected"}
    assert Posting.objects.count() == 1


def test_a_rejection_needs_a_reason_and_pays_nothing(town: Town) -> None:
    hour = logged(town)
    with pytest.raises(BadInput):
        reject(hour, town.reviewer, reason="  ")
    reject(hour, town.reviewer, reason="班次取消了")
    hour.refresh_from_db()
    assert (hour.state, hour.reason, balance(hour.member)) == ("rejected", "班次取消了", 0)
    assert events(hour.member)[-1] == (
        "hours.rejected",
        {"hours": hour.pk, "minutes": 90, "reason": "班次取消了"},
    )


def test_others_hours_do_not_exist(town: Town) -> None:
    hour = logged(town)
    elsewhere = a_community(volunteers=0)
    for nobody in (town.volunteers[1], elsewhere.reviewer, elsewhere.captain):
        with pytest.raises(NotFound):
            approve(hour, nobody)
    # A bookkeeper reads them, yet scoring and booking are two people's work.
    with pytest.raises(NotAllowed):
        approve(hour, town.bookkeeper)
    with pytest.raises(OwnHours):
        approve(hour, hour.member)


def test_a_reviewer_of_the_district_reviews_its_communities(town: Town) -> None:
    above = MemberFactory()
    grant(above, "reviewer", community=town.community.parent)
    assert approve(logged(town), above).state == "approved"


def test_without_a_rule_the_hours_are_kept_and_no_credits_posted(town: Town) -> None:
    hour = logged(town, worked_on=date(2019, 12, 31))
    approve(hour, town.reviewer)
    hour.refresh_from_db()
    assert (hour.state, hour.minutes, hour.credits_earned) == ("approved", 90, 0)
    assert (hour.rule_version, hour.posting) == (None, None)
    assert not Posting.objects.exists()
    assert queries.totals_of(hour.member)["minutes"] == 90
    assert [step.code for step in queries.why(hour)] == ["worked", "no_rule"]


def test_the_cap_of_a_day_spans_the_logs_of_that_day(town: Town) -> None:
    RuleLine.objects.update(most_minutes_a_day=120)
    first, second, third = (logged(town) for _ in range(3))
    other_day = logged(town, worked_on=date(2026, 6, 2))
    for hour in (first, second, third, other_day):
        approve(hour, town.reviewer)
    got = [HourLog.objects.get(pk=h.pk) for h in (first, second, third, other_day)]
    assert [h.counted_minutes for h in got] == [90, 30, 0, 90]
    assert [h.credits_earned for h in got] == [75, 25, 0, 75]
    assert [h.minutes for h in got] == [90, 90, 90, 90]
    assert "day_cap" in [step.code for step in queries.why(got[1])]


def test_several_are_approved_at_once_and_the_rest_named(town: Town) -> None:
    good = [logged(town, volunteer) for volunteer in town.volunteers[:3]]
    own, done = logged(town, town.reviewer), approve(logged(town), town.captain)
    with unit_of_work(town.reviewer, now=NOW):
        bulk = services.approve_selected(
            hour_log_ids=[*(h.pk for h in good), own.pk, done.pk, 10**9],
            actor=town.reviewer,
            now=NOW,
        )
    assert bulk.approved == [h.pk for h in good]
    assert bulk.refused == {own.pk: "own_hours", done.pk: "already_decided", 10**9: "not_found"}
    assert Posting.objects.count() == 4


def test_approving_several_reads_each_log_once(town: Town) -> None:
    """One look at all, one lock of all; who acts for whom is asked once."""

    def reads(count: int) -> dict[str, int]:
        waiting = [logged(town, town.volunteers[n]).pk for n in range(count)]
        with CaptureQueriesContext(connection) as ran, unit_of_work(town.reviewer, now=NOW):
            services.approve_selected(hour_log_ids=waiting, actor=town.reviewer, now=NOW)
        sql = [query["sql"] for query in ran.captured_queries]
        return {
            table: sum(f'FROM "{table}"' in text for text in sql)
            for table in ("earning_hourlog", "people_proxy", "people_member")
        }

    assert reads(1) == reads(3) == {"earning_hourlog": 2, "people_proxy": 2, "people_member": 1}


def test_late_evidence_changes_waiting_hours_only(town: Town) -> None:
    waiting, done = logged(town, source_id=1), logged(town, source_id=2)
    approve(done, town.reviewer)
    with unit_of_work(now=NOW):
        for source, after in ((1, 60), (2, None), (3, None)):
            revised = services.revise_pending_hours(
                source_type="seat", source_id=source, minutes=60, evidence={"in": {}},
                actor=None, now=NOW,
            )  # fmt: skip
            assert (revised.minutes if revised else None) == after
    waiting.refresh_from_db()
    done.refresh_from_db()
    assert (waiting.minutes, waiting.evidence, done.minutes) == (60, {"in": {}}, 90)


TODAY = date(2026, 6, 1)


def new_rule(town: Town, actor: Member | None = None, **changed: Any) -> RuleVersion:
    facts: dict[str, Any] = {
        "community": town.community,
        "starts_on": TODAY + timedelta(days=10),
        "lines": [Line(per_hour=100)],
        "note": "",
        "actor": actor or town.bookkeeper,
        "now": NOW,
        **changed,
    }
    with unit_of_work(facts["actor"], now=NOW):
        return services.create_rule_version(**facts)


def test_a_new_version_never_touches_the_past(town: Town) -> None:
    paid = approve(logged(town), town.reviewer)
    before_it, from_it = (logged(town, worked_on=TODAY + timedelta(days=day)) for day in (9, 10))
    version = new_rule(town)
    assert version.number == 2
    approve(before_it, town.reviewer)
    approve(from_it, town.reviewer)
    got = [HourLog.objects.get(pk=h.pk) for h in (paid, before_it, from_it)]
    assert [h.credits_earned for h in got] == [75, 75, 150]
    assert [h.rule_version.number for h in got if h.rule_version] == [1, 1, 2]
    assert sentences(queries.why(got[0]))[-1].endswith("0.75")


def test_a_districts_table_holds_until_the_community_has_its_own(town: Town) -> None:
    RuleVersion.objects.update(starts_on=date(2026, 1, 1))
    above = RuleVersion.objects.create(
        community=town.community.parent, number=1, starts_on=date(2020, 1, 1), created_at=NOW
    )
    RuleLine.objects.create(version=above, per_hour=200)
    early = approve(logged(town, worked_on=date(2025, 12, 31)), town.reviewer)
    late = approve(logged(town, worked_on=date(2026, 1, 1)), town.reviewer)
    assert (early.credits_earned, late.credits_earned) == (300, 75)


def test_classes_and_categories_have_their_own_lines(town: Town) -> None:
    new_rule(
        town,
        starts_on=TODAY,
        lines=[
            Line(per_hour=50),
            Line(category="kitchen", flat=200),
            Line(category="kitchen", holder_class="child", per_hour=60),
        ],
    )
    child = town.volunteers[1]
    child.holder_class = "child"
    child.save()
    grown = approve(logged(town, category="kitchen"), town.reviewer)
    young = approve(logged(town, child, category="kitchen"), town.reviewer)
    patrol = approve(logged(town, child), town.reviewer)
    assert [h.credits_earned for h in (grown, young, patrol)] == [200, 90, 75]


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"starts_on": TODAY - timedelta(days=1)}, "rule_in_the_past"),
        ({"lines": [Line(category="patrol", per_hour=50)]}, "rule_gap"),
        ({"lines": []}, "rule_gap"),
        ({"lines": [Line(), Line(per_hour=1)]}, "invalid"),
        ({"lines": [Line(), Line(category="gossip")]}, "invalid"),
        ({"lines": [Line(), Line(holder_class="king")]}, "invalid"),
        ({"lines": [Line(per_hour=-1)]}, "invalid"),
    ],
)
def test_a_table_that_is_past_or_open_is_refused(
    town: Town, changed: dict[str, Any], code: str
) -> None:
    with pytest.raises(DomainError) as refusal:
        new_rule(town, **changed)
    assert refusal.value.code == code
    assert RuleVersion.objects.count() == 1


def test_versions_follow_each_other(town: Town) -> None:
    new_rule(town)
    for day in (10, 9):
        with pytest.raises(services.RuleOutOfOrder):
            new_rule(town, starts_on=TODAY + timedelta(days=day))
    assert new_rule(town, starts_on=TODAY + timedelta(days=11)).number == 3


def test_today_is_the_communitys_today(town: Town) -> None:
    # 18:00 UTC is already tomorrow in Shanghai.
    evening = NOW + timedelta(hours=12)
    with pytest.raises(services.RuleInThePast):
        new_rule(town, starts_on=TODAY, now=evening)
    assert new_rule(town, starts_on=TODAY + timedelta(days=1), now=evening).number == 2


def test_reviewers_and_captains_make_no_rules(town: Town) -> None:
    for actor in (town.reviewer, town.captain, town.volunteers[0]):
        with pytest.raises(NotAllowed):
            new_rule(town, actor)
    council = MemberFactory()
    grant(council, "council", community=town.community)
    assert new_rule(town, council).created_by == council
