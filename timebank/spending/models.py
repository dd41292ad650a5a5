"""Partners and what they offer for credits: meals, goods, services."""

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from grids.people.models import Member, Organisation
from grids.places.models import Community
from timebank.ledger.models import Posting, Transfer


class Partner(models.Model):
    """An organisation that accepts credits; its staff hold the role `partner_staff`."""

    class Kind(models.TextChoices):
        KITCHEN = "kitchen", _("Public kitchen")
        MERCHANT = "merchant", _("Merchant")

    organisation = models.OneToOneField(
        Organisation, on_delete=models.PROTECT, related_name="partner"
    )
    community = models.ForeignKey(Community, on_delete=models.PROTECT, related_name="partners")
    kind = models.CharField(max_length=10, choices=Kind)
    active = models.BooleanField(default=True)

    def __str__(self) -> str:
        return self.organisation.name


class Offer(models.Model):
    """Something a partner gives for `price` hundredths of a credit."""

    class Kind(models.TextChoices):
        MEAL = "meal", _("Meal")
        GOODS = "goods", _("Goods")
        SERVICE = "service", _("Service")

    partner = models.ForeignKey(Partner, on_delete=models.PROTECT, related_name="offers")
    kind = models.CharField(max_length=10, choices=Kind)
    title = models.CharField(max_length=120)
    description = models.CharField(max_length=400, blank=True)
    price = models.PositiveIntegerField(validators=[MaxValueValidator(1_000_000)])
    daily_seats = models.PositiveIntegerField(null=True, blank=True)
    serves_from = models.TimeField(null=True, blank=True)
    serves_until = models.TimeField(null=True, blank=True)
    weekdays = models.CharField(
        max_length=7,
        default="1234567",
        validators=[RegexValidator("^[1-7]{1,7}$")],
        help_text=_("Days served: 1 is Monday, 7 Sunday"),
    )
    active = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(price__lte=1_000_000), name="price_in_bounds"),
            models.CheckConstraint(
                condition=Q(daily_seats__isnull=True) | Q(serves_until__gt=F("serves_from")),
                name="seats_need_hours",
            ),
        ]

    def __str__(self) -> str:
        return self.title

    def hour_errors(self) -> dict[str, list[str]]:
        """Say what is wrong with price, seats and hours, by field."""
        errors: dict[str, list[str]] = {}
        if not 0 <= self.price <= 1_000_000:
            errors["price"] = [str(_("Between 0 and 10000 credits."))]
        if self.daily_seats is None:
            return errors
        if self.serves_from is None or self.serves_until is None:
            errors["serves_from"] = [str(_("An offer with seats needs hours."))]
        elif self.serves_until <= self.serves_from:
            errors["serves_until"] = [str(_("It ends after it starts, on the same day."))]
        return errors

    def clean(self) -> None:
        """Let the admin show the same errors."""
        errors = self.hour_errors()
        if errors:
            raise ValidationError(errors)


class Slot(models.Model):
    """One serving: `taken` of `capacity` seats are booked."""

    offer = models.ForeignKey(Offer, on_delete=models.PROTECT, related_name="slots")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    capacity = models.PositiveIntegerField()
    taken = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["offer", "starts_at"], name="slot_once"),
            models.CheckConstraint(condition=Q(taken__lte=F("capacity")), name="never_oversold"),
        ]


class Booking(models.Model):
    """A place booked for `member`, paid by a hold that redemption posts and cancelling voids."""

    class State(models.TextChoices):
        BOOKED = "booked", _("Booked")
        REDEEMED = "redeemed", _("Redeemed")
        CANCELLED = "cancelled", _("Cancelled")
        LAPSED = "lapsed", _("Not fetched")

    offer = models.ForeignKey(Offer, on_delete=models.PROTECT, related_name="bookings")
    slot = models.ForeignKey(
        Slot, null=True, blank=True, on_delete=models.PROTECT, related_name="bookings"
    )
    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="bookings")
    booked_by = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="+")
    quantity = models.PositiveIntegerField(default=1)
    price = models.PositiveIntegerField(help_text=_("Whole price in hundredths"))
    state = models.CharField(max_length=10, choices=State, default=State.BOOKED)
    code = models.CharField(max_length=12, unique=True)
    hold = models.OneToOneField(
        Transfer, null=True, on_delete=models.PROTECT, related_name="booking"
    )
    booked_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)
    closed_at = models.DateTimeField(null=True)
    redeemed_by = models.ForeignKey(Member, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        indexes = [models.Index(fields=["member", "-id"], name="bookings_of_member")]


class PayCode(models.Model):
    """A member's short-lived code to be shown at a counter; used once."""

    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="pay_codes")
    code = models.CharField(max_length=12, unique=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)
    used_at = models.DateTimeField(null=True)


class Charge(models.Model):
    """A walk-in payment taken by a partner with a member's pay code."""

    partner = models.ForeignKey(Partner, on_delete=models.PROTECT, related_name="charges")
    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="+")
    charged_by = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="+")
    amount = models.PositiveIntegerField()
    memo = models.CharField(max_length=200, blank=True)
    posting = models.OneToOneField(Posting, on_delete=models.PROTECT, related_name="charge")
    at = models.DateTimeField()
