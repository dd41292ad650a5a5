"""Accounts, postings, transfers, seals: the only tables where credits live."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from grids.people.models import Household, Member, Organisation
from grids.places.models import Community


class Ledger(models.Model):
    """One set of books: a community and a unit. The sum of its balances is always zero."""

    class Unit(models.TextChoices):
        CREDIT = "credit", _("Credits (hundredths)")
        CENT = "cent", _("Money (cents)")

    community = models.ForeignKey(Community, on_delete=models.PROTECT, related_name="ledgers")
    unit = models.CharField(max_length=8, choices=Unit, default=Unit.CREDIT)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["community", "unit"], name="one_ledger")]


class Account(models.Model):
    """A balance in hundredths; locked kinds also keep running totals.

    `issue`, `retired` and `expired` have no floor, are never locked, and are summed from
    transfers: their stored balance stays 0.
    """

    class Kind(models.TextChoices):
        ISSUE = "issue", _("Issued")
        MEMBER = "member", _("Member")
        HOUSEHOLD = "household", _("Household")
        ORGANISATION = "organisation", _("Organisation")
        PARTNER = "partner", _("Partner")
        FUND = "fund", _("Fund")
        RETIRED = "retired", _("Retired")
        EXPIRED = "expired", _("Expired")
        CLEARING = "clearing", _("Clearing")

    OPEN_ENDED = frozenset({Kind.ISSUE, Kind.RETIRED, Kind.EXPIRED})

    ledger = models.ForeignKey(Ledger, on_delete=models.PROTECT, related_name="accounts")
    kind = models.CharField(max_length=12, choices=Kind)
    member = models.ForeignKey(
        Member, null=True, blank=True, on_delete=models.PROTECT, related_name="accounts"
    )
    household = models.ForeignKey(
        Household, null=True, blank=True, on_delete=models.PROTECT, related_name="accounts"
    )
    organisation = models.ForeignKey(
        Organisation, null=True, blank=True, on_delete=models.PROTECT, related_name="accounts"
    )
    name = models.CharField(max_length=120, blank=True)
    balance = models.BigIntegerField(default=0)
    held = models.BigIntegerField(default=0)
    floor = models.BigIntegerField(null=True, default=0)
    received_total = models.BigIntegerField(default=0)
    spent_total = models.BigIntegerField(default=0)
    last_at = models.DateTimeField(null=True)
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="never_below_the_floor",
                condition=Q(floor__isnull=True)
                | (
                    Q(balance__gte=F("floor") + F("held")) & (Q(held=0) | Q(balance__gte=F("held")))
                ),
            ),
            models.CheckConstraint(condition=Q(held__gte=0), name="held_not_negative"),
            models.CheckConstraint(
                condition=Q(floor__isnull=True) | Q(floor__lte=0), name="floor_not_positive"
            ),
            models.UniqueConstraint(
                fields=["ledger", "member"], condition=Q(kind="member"), name="one_per_member"
            ),
            models.UniqueConstraint(
                fields=["ledger", "household"],
                condition=Q(kind="household"),
                name="one_per_household",
            ),
            models.UniqueConstraint(
                fields=["ledger", "kind", "organisation"],
                condition=Q(kind__in=["organisation", "partner"]),
                name="one_per_organisation",
            ),
            models.UniqueConstraint(
                fields=["ledger", "kind"],
                condition=Q(kind__in=["issue", "retired", "expired"]),
                name="one_of_each_open_end",
            ),
        ]

    @property
    def locked(self) -> bool:
        """Whether this kind keeps a balance under a row lock."""
        return self.kind not in self.OPEN_ENDED

    @property
    def available(self) -> int:
        """What a hold may take: never an overdraft."""
        return max(0, self.balance - self.held)

    @property
    def spendable(self) -> int:
        """What a payment may take now: down to the floor, but no overdraft beside open holds."""
        free = self.balance - self.held
        return free - (self.floor or 0) if self.held == 0 else free


class Posting(models.Model):
    """One indivisible act of bookkeeping with 1..n transfers; never edited or deleted.

    `scope` is "member:<id>" or "system"; `salt` is random, so that the digests in a neighbour's
    inclusion proof can't be guessed back to amounts (docs/ledger-format.md).
    """

    class Reason(models.TextChoices):
        EARNED = "earned", _("Hours approved")
        BOOKED = "booked", _("Booked")
        REDEEMED = "redeemed", _("Redeemed")
        CANCELLED = "cancelled", _("Booking cancelled")
        LAPSED = "lapsed", _("Hold expired")
        CHARGED = "charged", _("Paid at a partner")
        GIVEN = "given", _("Given")
        RETIRED = "retired", _("Settled")
        EXPIRED = "expired", _("Expired")
        REVERSED = "reversed", _("Corrected")
        OPENING = "opening", _("Opening bonus")

    ledger = models.ForeignKey(Ledger, on_delete=models.PROTECT, related_name="postings")
    actor = models.ForeignKey(Member, null=True, on_delete=models.PROTECT, related_name="+")
    scope = models.CharField(max_length=60)
    key = models.CharField(max_length=255)
    payload_hash = models.CharField(max_length=64)
    salt = models.CharField(max_length=32)
    reason = models.CharField(max_length=12, choices=Reason)
    memo = models.CharField(max_length=200, blank=True)
    source_type = models.CharField(max_length=40, blank=True)
    source_id = models.BigIntegerField(null=True)
    rule_version = models.BigIntegerField(null=True)
    reverses = models.OneToOneField(
        "self", null=True, on_delete=models.PROTECT, related_name="reversed_by"
    )
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["scope", "key"], name="one_posting_per_key")]
        indexes = [models.Index(fields=["source_type", "source_id"], name="posting_by_source")]


class Transfer(models.Model):
    """One amount moved from `debit` to `credit`, in hundredths, always more than 0.

    `pending` moves `held`, not `balance`; `pending_of` names the pending transfer that this
    one resolves, and is unique: resolved exactly once.
    """

    class Phase(models.TextChoices):
        POSTED = "posted", _("Posted")
        PENDING = "pending", _("Held")
        POST = "post", _("Hold paid")
        VOID = "void", _("Hold released")
        EXPIRE = "expire", _("Hold expired")

    posting = models.ForeignKey(Posting, on_delete=models.PROTECT, related_name="transfers")
    # The indexes below begin with these, so that they need none of their own.
    debit = models.ForeignKey(
        Account, on_delete=models.PROTECT, related_name="debits", db_index=False
    )
    credit = models.ForeignKey(
        Account, on_delete=models.PROTECT, related_name="credits", db_index=False
    )
    amount = models.BigIntegerField()
    phase = models.CharField(max_length=8, choices=Phase, default=Phase.POSTED)
    pending_of = models.OneToOneField(
        "self", null=True, on_delete=models.PROTECT, related_name="resolved_by"
    )
    at = models.DateTimeField()
    debit_balance = models.BigIntegerField(null=True)
    debit_spent_total = models.BigIntegerField(null=True)
    credit_balance = models.BigIntegerField(null=True)
    credit_received_total = models.BigIntegerField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="amount_positive"),
            models.CheckConstraint(condition=~Q(debit=F("credit")), name="two_accounts"),
            models.CheckConstraint(
                name="resolution_names_its_hold",
                condition=Q(phase__in=["posted", "pending"], pending_of__isnull=True)
                | Q(phase__in=["post", "void", "expire"], pending_of__isnull=False),
            ),
        ]
        indexes = [
            models.Index(fields=["debit", "at", "id"], name="transfer_by_debit_at"),
            models.Index(fields=["credit", "at", "id"], name="transfer_by_credit_at"),
        ]


class Seal(models.Model):
    """A published Merkle root over every transfer committed since the seal before.

    `digest` is the hash of the seal itself and the `previous` of the next one.
    """

    ledger = models.ForeignKey(Ledger, on_delete=models.PROTECT, related_name="seals")
    number = models.PositiveIntegerField()
    root = models.CharField(max_length=64)
    previous = models.CharField(max_length=64)
    leaves = models.PositiveIntegerField()
    digest = models.CharField(max_length=64)
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["ledger", "number"], name="seal_number")]


class SealLeaf(models.Model):
    """Which seal holds a transfer, and at which place."""

    transfer = models.OneToOneField(Transfer, on_delete=models.PROTECT, related_name="seal_leaf")
    seal = models.ForeignKey(Seal, on_delete=models.PROTECT, related_name="seal_leaves")
    index = models.PositiveIntegerField()
    digest = models.CharField(max_length=64)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["seal", "index"], name="leaf_place")]
