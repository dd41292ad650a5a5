"""Partners and offers may be changed here; bookings and payments only read."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from common.admin import LinliAdmin, ReadOnlyAdmin
from common.unit_of_work import current
from timebank.spending.models import Booking, Charge, Offer, Partner
from timebank.spending.services import materialise_slots
from timebank.spending.services.catalogue import partner_account


@admin.register(Partner)
class PartnerAdmin(LinliAdmin[Partner]):
    list_display = ("organisation", "community", "kind", "active")
    list_filter = ("kind", "active")
    list_select_related = ("organisation", "community")
    raw_id_fields = ("organisation", "community")

    def save_model(self, request: HttpRequest, obj: Partner, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        partner_account(obj, current().now)


@admin.register(Offer)
class OfferAdmin(LinliAdmin[Offer]):
    list_display = ("title", "partner", "kind", "price", "daily_seats", "active")
    list_filter = ("kind", "active")
    list_select_related = ("partner__organisation",)

    def save_model(self, request: HttpRequest, obj: Offer, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        materialise_slots(offer=obj, now=current().now)


@admin.register(Booking)
class BookingAdmin(ReadOnlyAdmin[Booking]):
    list_display = ("id", "offer", "slot", "member", "quantity", "price", "state")
    list_filter = ("state",)
    list_select_related = ("offer", "slot", "member")
    exclude = ("code",)


@admin.register(Charge)
class ChargeAdmin(ReadOnlyAdmin[Charge]):
    list_display = ("id", "at", "partner", "member", "amount", "memo")
    list_select_related = ("partner__organisation", "member")
