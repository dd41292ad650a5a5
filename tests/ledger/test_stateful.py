"""Whatever happens in whatever order: nothing is lost, invented, or spent twice."""

from datetime import timedelta
from typing import Any

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.extra.django import TestCase
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from common.errors import DomainError
from common.unit_of_work import unit_of_work
from tests.factories import NOW, CommunityFactory
from tests.ledger.factories import issue_account, member_account
from timebank.ledger.models import Account
from timebank.ledger.seals import seal_ledger
from timebank.ledger.services import Move, hold, post, resolve, reverse
from timebank.ledger.verify import verify

AMOUNTS = st.integers(1, 120)
PLACES = st.integers(0, 3)


class Books(RuleBasedStateMachine):
    """Compares the ledger with four plain numbers and a dictionary of holds."""

    holds = Bundle("holds")
    postings = Bundle("postings")

    @initialize(floor=st.sampled_from([0, -50]))
    def open(self, floor: int) -> None:
        # A community of its own for each example: rows stay until the test ends.
        self.community = community = CommunityFactory()
        with unit_of_work():
            self.issue = issue_account(community)
            self.accounts = [member_account(community) for _place in range(4)]
        Account.objects.filter(pk=self.accounts[0].pk).update(floor=floor)
        self.floors = [floor, 0, 0, 0]
        self.balances, self.held = [0] * 4, [0] * 4
        self.open_holds: dict[int, tuple[int, int, int]] = {}
        self.moves: dict[int, list[tuple[int, int, int]]] = {}
        self.reversed: set[int] = set()
        self.count = 0

    def act(self, verb: Any, allowed: bool, **what: Any) -> Any:
        """Do it twice with one key: the second time must change nothing."""
        self.count += 1
        key = f"{self.community.pk}:{self.count}"
        now = NOW + timedelta(seconds=self.count * 7 % 5)  # clocks jump
        done = []
        for _twice in range(2):
            try:
                with unit_of_work():
                    done.append(verb(actor=None, key=key, now=now, **what))
            except DomainError:
                done.append(None)
        assert (done[0] is not None) == allowed
        assert done[0] == done[1]
        return done[0]

    def free(self, place: int) -> int:
        balance, held = self.balances[place], self.held[place]
        return balance - held - (0 if held else self.floors[place])

    def move(self, a: int, b: int, amount: int) -> None:
        """Move in the model; place -1 is the issue account."""
        if a >= 0:
            self.balances[a] -= amount
        if b >= 0:
            self.balances[b] += amount

    @rule(target=postings, place=PLACES, amount=AMOUNTS)
    def earn(self, place: int, amount: int) -> Any:
        moves = [Move(self.issue.pk, self.accounts[place].pk, amount)]
        done = self.act(post, True, reason="earned", moves=moves)
        self.move(-1, place, amount)
        self.moves[done.pk] = [(-1, place, amount)]
        return done.pk

    @rule(target=postings, a=PLACES, b=PLACES, c=PLACES, amount=AMOUNTS, more=AMOUNTS)
    def give(self, a: int, b: int, c: int, amount: int, more: int) -> Any:
        if a in {b, c}:
            return multiple()
        pk = [account.pk for account in self.accounts]
        done = self.act(
            post,
            self.free(a) >= amount + more,
            reason="given",
            moves=[Move(pk[a], pk[b], amount), Move(pk[a], pk[c], more)],
        )
        if done is None:
            return multiple()
        self.move(a, b, amount)
        self.move(a, c, more)
        self.moves[done.pk] = [(a, b, amount), (a, c, more)]
        return done.pk

    @rule(target=holds, a=PLACES, b=PLACES, amount=AMOUNTS)
    def hold(self, a: int, b: int, amount: int) -> Any:
        if a == b:
            return multiple()
        done = self.act(
            hold,
            self.balances[a] - self.held[a] >= amount,
            debit=self.accounts[a].pk,
            credit=self.accounts[b].pk,
            amount=amount,
            source=("test", 1),
        )
        if done is None:
            return multiple()
        self.held[a] += amount
        self.open_holds[done.pk] = (a, b, amount)
        return done.pk

    @rule(pk=holds, phase=st.sampled_from(["post", "void", "expire"]), paid=AMOUNTS)
    def settle(self, pk: int, phase: str, paid: int) -> None:
        a, b, amount = self.open_holds.get(pk, (0, 0, 0))
        allowed = pk in self.open_holds and (phase != "post" or paid <= amount)
        self.act(resolve, allowed, pending_id=pk, phase=phase, amount=paid, reason="redeemed")
        if allowed:
            del self.open_holds[pk]
            self.held[a] -= amount
            if phase == "post":
                self.move(a, b, paid)

    @rule(pk=postings)
    def correct(self, pk: int) -> None:
        allowed = pk not in self.reversed
        balances = list(self.balances)
        for a, b, amount in reversed(self.moves[pk]):
            allowed = allowed and self.free(b) >= amount
            self.move(b, a, amount)
        self.balances, wanted = balances, self.balances
        self.act(reverse, allowed, posting_id=pk, reason_text="mistake")
        if allowed:
            self.balances = wanted
            self.reversed.add(pk)

    @rule()
    def seal(self) -> None:
        with unit_of_work():
            seal_ledger(ledger=self.issue.ledger, now=NOW)

    @invariant()
    def the_numbers_agree(self) -> None:
        if not hasattr(self, "accounts"):
            return
        rows = Account.objects.in_bulk([account.pk for account in self.accounts])
        for place, account in enumerate(self.accounts):
            row = rows[account.pk]
            assert (row.balance, row.held) == (self.balances[place], self.held[place])
            assert row.balance - row.held >= self.floors[place]

    def teardown(self) -> None:
        if hasattr(self, "accounts"):
            assert verify(self.community.code).faults == []


class TestBooks(TestCase):
    """Runs the machine; everything is rolled back at the end."""

    def test_books(self) -> None:
        run_state_machine_as_test(  # type: ignore[no-untyped-call]
            Books,
            settings=settings(
                max_examples=12,
                stateful_step_count=14,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
