"""What the ledger's verbs do and refuse."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from common.errors import KeyReused, NotFound
from common.unit_of_work import OutsideUnitOfWork, unit_of_work
from realtime.models import Event
from tests.factories import NOW, CommunityFactory, MemberFactory, OrganisationFactory, Town
from tests.ledger.factories import issue_account, member_account
from timebank.ledger.models import Account, Posting, Transfer
from timebank.ledger.queries import account_of
from timebank.ledger.services import (
    AccountClosed,
    AlreadyResolved,
    AlreadyReversed,
    InsufficientCredits,
    MoreThanHeld,
    Move,
    NotReversible,
    ensure_account,
    hold,
    post,
    resolve,
    reverse,
)

pytestmark = pytest.mark.django_db


def numbers(account: Account) -> tuple[int, int]:
    account.refresh_from_db()
    return account.balance, account.held


def test_an_account_is_opened_once(town: Town) -> None:
    member = town.volunteers[0]
    with unit_of_work():
        first = ensure_account(community=town.community, kind="member", member=member, now=NOW)
        again = ensure_account(community=town.community, kind="member", member=member, now=NOW)
        assert first == again
        assert account_of(member) == first
        issue = issue_account(town.community)
        assert (first.floor, issue.floor) == (0, None)
        with pytest.raises(ValueError, match="owner"):
            ensure_account(community=town.community, kind="member", now=NOW)


def test_a_service_needs_a_unit_of_work(town: Town) -> None:
    with pytest.raises(OutsideUnitOfWork):
        ensure_account(community=town.community, kind="issue", now=NOW)


def test_credits_move_and_everything_is_noted(town: Town) -> None:
    with unit_of_work():
        a = member_account(town.community, amount=500)
        b = member_account(town.community)
        posting = post(
            actor=a.member, key="k", reason="given", moves=[Move(a.pk, b.pk, 120)], now=NOW,
            memo="谢谢", source=("x", 7), rule_version=3,
        )  # fmt: skip
    assert numbers(a) == (380, 0)
    assert numbers(b) == (120, 0)
    row = posting.transfers.get()
    assert (row.debit_balance, row.debit_spent_total) == (380, 120)
    assert (row.credit_balance, row.credit_received_total) == (120, 120)
    assert (posting.scope, posting.memo, posting.source_id) == (f"member:{a.member_id}", "谢谢", 7)
    event = Event.objects.filter(topic__name=f"member:{b.member_id}").get()
    assert (event.type, event.data) == (
        "account.changed",
        {"account": b.pk, "balance": "1.20", "held": "0.00", "available": "1.20"},
    )


def test_open_ended_accounts_keep_no_balance(town: Town) -> None:
    with unit_of_work():
        member_account(town.community, amount=500)
        issue = issue_account(town.community)
    assert numbers(issue) == (0, 0)
    assert Transfer.objects.get().debit_balance is None


def test_the_same_key_moves_once_and_other_words_are_refused(town: Town) -> None:
    with unit_of_work():
        a = member_account(town.community, amount=100)
        b = member_account(town.community)
        say = {"actor": a.member, "key": "k", "reason": "given", "now": NOW}
        first = post(moves=[Move(a.pk, b.pk, 100)], **say)
        # It could not be afforded twice, yet the repeat is answered as the first time.
        later = {**say, "now": NOW + timedelta(hours=1)}
        assert post(moves=[Move(a.pk, b.pk, 100)], **later) == first
        with pytest.raises(KeyReused):
            post(moves=[Move(a.pk, b.pk, 99)], **say)
        other = post(actor=b.member, key="k", reason="given", moves=[Move(b.pk, a.pk, 1)], now=NOW)
        assert other != first
    assert numbers(a) == (1, 0)


def test_nobody_spends_what_they_do_not_have(town: Town) -> None:
    with unit_of_work():
        a = member_account(town.community, amount=100)
        b = member_account(town.community)
        hold(actor=None, key="h", debit=a.pk, credit=b.pk, amount=60, now=NOW, source=("", None))
        with pytest.raises(InsufficientCredits) as refused:
            post(actor=None, key="p", reason="given", moves=[Move(a.pk, b.pk, 41)], now=NOW)
        assert refused.value.data == {"available": "0.40", "needed": "0.41"}
        with pytest.raises(InsufficientCredits):
            hold(actor=None, key="i", debit=a.pk, credit=b.pk, amount=41, now=NOW, source=("", 1))
    assert numbers(a) == (100, 60)
    assert not Posting.objects.filter(key__in=["p", "i"]).exists()


def test_overdraft_pays_but_is_never_held(town: Town) -> None:
    with unit_of_work():
        a = member_account(town.community, amount=10)
        b = member_account(town.community)
        Account.objects.filter(pk=a.pk).update(floor=-50)
        with pytest.raises(InsufficientCredits):
            hold(actor=None, key="h", debit=a.pk, credit=b.pk, amount=11, now=NOW, source=("", 1))
        kept = hold(actor=None, key="h", debit=a.pk, credit=b.pk, amount=5, now=NOW, source=("", 1))
        with pytest.raises(InsufficientCredits):
            post(actor=None, key="p", reason="given", moves=[Move(a.pk, b.pk, 6)], now=NOW)
        resolve(actor=None, key="v", pending_id=kept.pk, phase="void", now=NOW, reason="cancelled")
        post(actor=None, key="p", reason="given", moves=[Move(a.pk, b.pk, 60)], now=NOW)
        with pytest.raises(InsufficientCredits):
            post(actor=None, key="q", reason="given", moves=[Move(a.pk, b.pk, 1)], now=NOW)
    assert numbers(a) == (-50, 0)


@pytest.mark.parametrize(
    ("phase", "amount", "left", "got"),
    [
        ("post", None, 40, 60),
        ("post", 25, 75, 25),
        ("void", None, 100, 0),
        ("expire", None, 100, 0),
    ],
)
def test_a_hold_is_settled_once(
    town: Town, phase: str, amount: int | None, left: int, got: int
) -> None:
    with unit_of_work():
        a = member_account(town.community, amount=100)
        b = member_account(town.community)
        kept = hold(
            actor=None, key="h", debit=a.pk, credit=b.pk, amount=60, now=NOW, source=("m", 9)
        )
        say = {"pending_id": kept.pk, "now": NOW, "reason": "redeemed", "amount": amount}
        done = resolve(actor=None, key="r", phase=phase, **say)
        assert resolve(actor=None, key="r", phase=phase, **say) == done
        for again in ("post", "void", "expire"):
            with pytest.raises(AlreadyResolved) as refused:
                resolve(actor=None, key=f"x{again}", phase=again, **{**say, "amount": None})
            assert refused.value.data == {"phase": phase}
    assert (done.source_type, done.source_id) == ("m", 9)
    assert numbers(a) == (left, 0)
    assert numbers(b) == (got, 0)


def test_a_hold_is_not_paid_beyond_itself(town: Town) -> None:
    with unit_of_work():
        a = member_account(town.community, amount=100)
        b = member_account(town.community)
        kept = hold(actor=None, key="h", debit=a.pk, credit=b.pk, amount=6, now=NOW, source=("", 1))
        with pytest.raises(MoreThanHeld):
            resolve(
                actor=None, key="r", pending_id=kept.pk, phase="post", now=NOW, amount=7,
                reason="redeemed",
            )  # fmt: skip
        with pytest.raises(NotFound):
            resolve(actor=None, key="r", pending_id=0, phase="post", now=NOW, reason="redeemed")


def test_a_correction_moves_back_once(town: Town) -> None:
    with unit_of_work():
        a = member_account(town.community, amount=100)
        b = member_account(town.community)
        given = post(actor=None, key="p", reason="given", moves=[Move(a.pk, b.pk, 30)], now=NOW)
        fixed = reverse(
            actor=None, key="r", posting_id=given.pk, reason_text="wrong person", now=NOW
        )
        assert (fixed.reverses, fixed.memo, fixed.reason) == (given, "wrong person", "reversed")
        with pytest.raises(AlreadyReversed):
            reverse(actor=None, key="s", posting_id=given.pk, reason_text="again", now=NOW)
        kept = hold(actor=None, key="h", debit=a.pk, credit=b.pk, amount=5, now=NOW, source=("", 1))
        with pytest.raises(NotReversible):
            reverse(actor=None, key="t", posting_id=kept.posting_id, reason_text="x", now=NOW)
    assert numbers(a) == (100, 5)
    assert numbers(b) == (0, 0)


def test_what_is_spent_can_not_be_taken_back(town: Town) -> None:
    with unit_of_work():
        a = member_account(town.community, amount=100)
        b, c = member_account(town.community), member_account(town.community)
        given = post(actor=None, key="p", reason="given", moves=[Move(a.pk, b.pk, 30)], now=NOW)
        post(actor=None, key="q", reason="given", moves=[Move(b.pk, c.pk, 10)], now=NOW)
        with pytest.raises(InsufficientCredits):
            reverse(actor=None, key="r", posting_id=given.pk, reason_text="x", now=NOW)
    assert numbers(b) == (20, 0)


def test_time_never_runs_back_on_an_account(town: Town) -> None:
    with unit_of_work():
        a = member_account(town.community, amount=100)
        b = member_account(town.community)
        move = [Move(a.pk, b.pk, 1)]
        later = NOW + timedelta(hours=1)
        assert post(actor=None, key="p", reason="given", moves=move, now=later).at == later
        assert post(actor=None, key="q", reason="given", moves=move, now=NOW).at == later


def test_a_posting_falls_whole(town: Town) -> None:
    with unit_of_work():
        a = member_account(town.community, amount=100)
        b, c = member_account(town.community), member_account(town.community)
        with pytest.raises(InsufficientCredits):
            post(
                actor=None, key="p", reason="given", now=NOW,
                moves=[Move(a.pk, b.pk, 90), Move(a.pk, c.pk, 11)],
            )  # fmt: skip
    assert [numbers(x)[0] for x in (a, b, c)] == [100, 0, 0]


def test_books_do_not_mix_and_closed_accounts_stay_closed(town: Town) -> None:
    with unit_of_work():
        a = member_account(town.community, amount=100)
        b = member_account(town.community)
        stranger = member_account(CommunityFactory())
        with pytest.raises(ValueError, match="one ledger"):
            post(actor=None, key="p", reason="given", moves=[Move(a.pk, stranger.pk, 1)], now=NOW)
        with pytest.raises(NotFound):
            post(actor=None, key="p", reason="given", moves=[Move(a.pk, 10**9, 1)], now=NOW)
        Account.objects.filter(pk=b.pk).update(closed_at=NOW)
        with pytest.raises(AccountClosed):
            post(actor=None, key="p", reason="given", moves=[Move(a.pk, b.pk, 1)], now=NOW)


@pytest.mark.parametrize(
    ("amount", "error"), [(0, ValueError), (-1, ValueError), (1.5, TypeError), (True, TypeError)]
)
def test_amounts_are_whole_hundredths(town: Town, amount: object, error: type[Exception]) -> None:
    with unit_of_work():
        a = member_account(town.community, amount=100)
        b = member_account(town.community)
        with pytest.raises(error):
            post(actor=None, key="p", reason="given", moves=[Move(a.pk, b.pk, amount)], now=NOW)  # type: ignore[arg-type]


def test_the_database_holds_the_floor(town: Town) -> None:
    with unit_of_work():
        a = member_account(town.community, amount=100)
        with pytest.raises(IntegrityError), transaction.atomic():
            Account.objects.filter(pk=a.pk).update(held=101)
        with pytest.raises(IntegrityError), transaction.atomic():
            Account.objects.filter(pk=a.pk).update(balance=-1)


def test_partner_and_member_accounts_of_one_owner_differ(town: Town) -> None:
    shop = OrganisationFactory(community=town.community)
    with unit_of_work():
        one = ensure_account(community=town.community, kind="partner", organisation=shop, now=NOW)
        two = ensure_account(
            community=town.community, kind="organisation", organisation=shop, now=NOW
        )
        assert one != two
        assert account_of(MemberFactory(community=town.community)) is None
