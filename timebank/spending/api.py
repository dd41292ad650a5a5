"""Offers, bookings, redemptions, charges and pay codes."""

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from common import clock
from common.api import KEY_HEADER, CreditsField, Endpoint, IdField
from common.errors import NotFound
from common.money import credits_text
from common.pagination import ByIdPagination
from common.unit_of_work import UnitOfWork
from grids.people.backends import member_of
from timebank.spending import queries, services
from timebank.spending.models import Booking, Charge, Offer

_text, _number = serializers.CharField, serializers.IntegerField
SlotOut = inline_serializer(
    "Slot",
    {
        "id": _number(),
        "starts_at": serializers.DateTimeField(),
        "ends_at": serializers.DateTimeField(),
        "left": _number(),
    },
    many=True,
)
OfferOut = inline_serializer(
    "Offer",
    {
        "id": _number(),
        "partner": _number(),
        "partner_name": _text(),
        "kind": _text(),
        "title": _text(),
        "description": _text(),
        "price": _text(),
        "slots": SlotOut,
    },
)
BookingOut = inline_serializer(
    "Booking",
    {
        "id": _number(),
        "state": serializers.ChoiceField(Booking.State.choices),
        "price": _text(),
        "code": _text(),
        "quantity": _number(),
        "offer": _number(),
        "offer_title": _text(),
        "partner": _number(),
        "partner_name": _text(),
        "slot": _number(allow_null=True),
        "starts_at": serializers.DateTimeField(allow_null=True),
        "member": _number(),
        "member_name": _text(),
        "booked_at": serializers.DateTimeField(),
        "expires_at": serializers.DateTimeField(),
    },
)
ChargeOut = inline_serializer(
    "Charge",
    {
        "id": _number(),
        "amount": _text(),
        "memo": _text(),
        "member_name": _text(),
        "partner": _number(),
        "at": serializers.DateTimeField(),
    },
)
_OFFER = {
    "id": 3, "partner": 1, "partner_name": "幸福食堂", "kind": "meal", "title": "午餐",
    "description": "", "price": "1.00",
    "slots": [{"id": 41, "starts_at": "2026-06-02T03:30:00Z", "ends_at": "2026-06-02T05:00:00Z",
               "left": 12}],
}  # fmt: skip
_BOOKING = {
    "id": 8, "state": "booked", "price": "1.00", "code": "7K2MQX4T", "quantity": 1, "offer": 3,
    "offer_title": "午餐", "partner": 1, "partner_name": "幸福食堂", "slot": 41,
    "starts_at": "2026-06-02T03:30:00Z", "member": 5, "member_name": "李梅",
    "booked_at": "2026-06-01T06:00:00Z", "expires_at": "2026-06-02T16:00:00Z",
}  # fmt: skip


class OffersQuery(serializers.Serializer[Any]):
    """Narrow the list of offers."""

    partner = IdField(required=False)
    kind = serializers.ChoiceField(Offer.Kind.choices, required=False)


class BookingsQuery(serializers.Serializer[Any]):
    """Narrow the list of bookings."""

    state = serializers.ChoiceField(Booking.State.choices, required=False)


class BookingIn(serializers.Serializer[Any]):
    """What to book; `slot` where the offer has slots."""

    offer = IdField()
    slot = IdField(required=False, allow_null=True, default=None)
    quantity = serializers.IntegerField(min_value=1, max_value=20, required=False, default=1)
    for_member = IdField(required=False, allow_null=True, default=None)


class RedemptionIn(serializers.Serializer[Any]):
    """The code that the guest shows."""

    code = serializers.CharField(max_length=40)


class ChargeIn(serializers.Serializer[Any]):
    """What to take from whoever shows the pay code; `partner` for staff of several."""

    pay_code = serializers.CharField(max_length=40)
    amount = CreditsField()
    memo = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")
    partner = IdField(required=False, allow_null=True, default=None)

    def validate_amount(self, value: int) -> int:
        if value > 2_000_000_000:
            raise serializers.ValidationError(_("This is more than anybody has."))
        return value


def offer_data(offer: Offer) -> dict[str, Any]:
    """Return an offer with its coming servings (see queries.with_coming_slots)."""
    return {
        "id": offer.pk,
        "partner": offer.partner_id,
        "partner_name": offer.partner.organisation.name,
        "kind": offer.kind,
        "title": offer.title,
        "description": offer.description,
        "price": credits_text(offer.price),
        "slots": [
            {
                "id": slot.pk,
                "starts_at": slot.starts_at,
                "ends_at": slot.ends_at,
                "left": slot.capacity - slot.taken,
            }
            for slot in offer.coming  # type: ignore[attr-defined]
        ],
    }


def booking_data(booking: Booking) -> dict[str, Any]:
    """Return a booking for those who may show its code, or have taken it."""
    return {
        "id": booking.pk,
        "state": str(booking.state),
        "price": credits_text(booking.price),
        "code": booking.code,
        "quantity": booking.quantity,
        "offer": booking.offer_id,
        "offer_title": booking.offer.title,
        "partner": booking.offer.partner_id,
        "partner_name": booking.offer.partner.organisation.name,
        "slot": booking.slot_id,
        "starts_at": booking.slot.starts_at if booking.slot else None,
        "member": booking.member_id,
        "member_name": booking.member.display_name,
        "booked_at": booking.booked_at,
        "expires_at": booking.expires_at,
    }


def charge_data(charge: Charge) -> dict[str, Any]:
    """Return a payment as the partner sees it."""
    return {
        "id": charge.pk,
        "amount": credits_text(charge.amount),
        "memo": charge.memo,
        "member_name": charge.member.display_name,
        "partner": charge.partner_id,
        "at": charge.at,
    }


class OffersView(Endpoint):
    """What one may buy for credits."""

    pagination_class = ByIdPagination

    @extend_schema(
        tags=["spending"],
        summary="Offers of your community, each with its coming servings",
        operation_id="offers_list",
        parameters=[OffersQuery],
        responses=serializers.ListSerializer(child=OfferOut),
        examples=[OpenApiExample("an offer", _OFFER)],
    )
    def get(self, request: Request) -> Response:
        asked = self.read_query(OffersQuery)
        offers = queries.offers_visible_to(member_of(request)).filter(**asked)
        pages = self.pagination_class()
        found = queries.with_coming_slots(offers, clock.now())
        page = pages.paginate_queryset(found, request, view=self)
        return pages.get_paginated_response([offer_data(offer) for offer in page or []])


class BookingsView(Endpoint):
    """Bookings of mine, and new ones."""

    pagination_class = ByIdPagination

    @extend_schema(
        tags=["spending"],
        summary="Your bookings, and those of people you act for",
        operation_id="bookings_list",
        parameters=[BookingsQuery],
        responses=serializers.ListSerializer(child=BookingOut),
        examples=[OpenApiExample("a booking", _BOOKING)],
    )
    def get(self, request: Request) -> Response:
        asked = self.read_query(BookingsQuery)
        pages = self.pagination_class()
        found = queries.bookings_visible_to(member_of(request)).filter(**asked)
        page = pages.paginate_queryset(found, request, view=self)
        return pages.get_paginated_response([booking_data(booking) for booking in page or []])

    @extend_schema(
        tags=["spending"],
        summary="Book; the price is held (Idempotency-Key required)",
        parameters=[KEY_HEADER],
        request=BookingIn,
        responses={201: BookingOut},
        examples=[
            OpenApiExample("book", {"offer": 3, "slot": 41, "quantity": 1}, request_only=True),
            OpenApiExample("booked", _BOOKING, response_only=True),
        ],
    )
    def post(self, request: Request) -> Response:
        body = self.read(BookingIn)

        def service(work: UnitOfWork) -> tuple[int, Any]:
            booking = services.book(
                actor=member_of(request),
                offer_id=body["offer"],
                slot_id=body["slot"],
                quantity=body["quantity"],
                for_member_id=body["for_member"],
                now=work.now,
            )
            return 201, booking_data(booking)

        return self.write(service, key_required=True)


class BookingView(Endpoint):
    """One booking."""

    @extend_schema(
        tags=["spending"],
        summary="One booking",
        responses=BookingOut,
        examples=[OpenApiExample("booking", _BOOKING)],
    )
    def get(self, request: Request, booking_id: int) -> Response:
        booking = queries.bookings_visible_to(member_of(request)).filter(pk=booking_id).first()
        if booking is None:
            raise NotFound
        return Response(booking_data(booking))


class CancelView(Endpoint):
    """Cancel a booking."""

    @extend_schema(
        tags=["spending"],
        summary="Cancel a booking; its credits are free again",
        request=None,
        responses=BookingOut,
        examples=[OpenApiExample("cancelled", {**_BOOKING, "state": "cancelled"})],
    )
    def post(self, request: Request, booking_id: int) -> Response:
        def service(work: UnitOfWork) -> tuple[int, Any]:
            booking = services.cancel_booking(
                actor=member_of(request), booking_id=booking_id, now=work.now
            )
            return 200, booking_data(booking)

        return self.write(service)


class RedemptionsView(Endpoint):
    """Take a booking at the counter."""

    @extend_schema(
        tags=["spending"],
        summary="Redeem a booking's code (partner staff; Idempotency-Key required)",
        parameters=[KEY_HEADER],
        request=RedemptionIn,
        responses={201: BookingOut},
        examples=[
            OpenApiExample("redeem", {"code": "7K2M QX4T"}, request_only=True),
            OpenApiExample("redeemed", {**_BOOKING, "state": "redeemed"}, response_only=True),
        ],
    )
    def post(self, request: Request) -> Response:
        body = self.read(RedemptionIn)

        def service(work: UnitOfWork) -> tuple[int, Any]:
            booking = services.redeem(actor=member_of(request), code=body["code"], now=work.now)
            return 201, booking_data(booking)

        return self.write(service, key_required=True)


class ChargesView(Endpoint):
    """Take a walk-in payment."""

    @extend_schema(
        tags=["spending"],
        summary="Charge a member's pay code (partner staff; Idempotency-Key required)",
        parameters=[KEY_HEADER],
        request=ChargeIn,
        responses={201: ChargeOut},
        examples=[
            OpenApiExample(
                "charge",
                {"pay_code": "9F3T6W2A", "amount": "1.50", "memo": "Soap"},
                request_only=True,
            ),
            OpenApiExample(
                "charged",
                {"id": 2, "amount": "1.50", "memo": "Soap", "member_name": "李梅", "partner": 4,
                 "at": "2026-06-01T06:00:00Z"},
                response_only=True,
            ),
        ],
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        body = self.read(ChargeIn)

        def service(work: UnitOfWork) -> tuple[int, Any]:
            made = services.charge(
                actor=member_of(request),
                pay_code=body["pay_code"],
                amount=body["amount"],
                memo=body["memo"],
                partner_id=body["partner"],
                now=work.now,
            )
            return 201, charge_data(made)

        return self.write(service, key_required=True)


class PayCodeView(Endpoint):
    """The code to be shown at a counter."""

    @extend_schema(
        tags=["spending"],
        summary="Your pay code: it lives 30 seconds and is used once",
        responses=inline_serializer(
            "PayCode", {"code": _text(), "expires_at": serializers.DateTimeField()}
        ),
        examples=[
            OpenApiExample("code", {"code": "9F3T6W2A", "expires_at": "2026-06-01T06:00:30Z"})
        ],
    )
    def get(self, request: Request) -> Response:
        def service(work: UnitOfWork) -> tuple[int, Any]:
            code = services.issue_pay_code(actor=member_of(request), now=work.now)
            return 200, {"code": code.code, "expires_at": code.expires_at}

        response = self.write(service)
        response["Cache-Control"] = "no-store"
        return response
