"""Meals, my bookings, my pay code, and the partner's counter."""

import io
import secrets
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import segno
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Case, Q, Sum, When
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from common import clock
from common.errors import KeyReused, NotAllowed, NotFound
from common.money import credits_text
from common.pages import ids, page_write, page_write_once
from common.unit_of_work import UnitOfWork, unit_of_work
from grids.people.backends import member_of
from grids.people.models import Member
from realtime.queries import head
from timebank.ledger import personal
from timebank.ledger.queries import account_data
from timebank.spending import queries, rules, services
from timebank.spending.codes import spaced
from timebank.spending.forms import BookForm
from timebank.spending.models import Booking, Charge, Offer, Partner

_DAYS_SHOWN = timedelta(days=2)
_OFFERS_SHOWN = 60
_JUST_PAID = timedelta(minutes=2)


def qr(text: str) -> SafeString:
    """Draw a QR code as an SVG element without any style of its own."""
    svg: str = segno.make_qr(text, error="m").svg_inline(omitsize=True)
    return mark_safe(svg)  # noqa: S308 - segno draws it from eight letters and digits


@login_required
@require_safe
def meals(request: HttpRequest) -> HttpResponse:
    """What my community offers today and tomorrow, and what I booked."""
    member = member_of(request)
    now = clock.now()
    zone = ZoneInfo(member.community.zone if member.community else "Asia/Shanghai")
    midnight = datetime.combine(now.astimezone(zone).date(), time(), zone) + _DAYS_SHOWN
    # The own community's first; a captain may book elsewhere for others.
    elsewhere = Case(When(partner__community=member.community_id, then=0), default=1)
    offers = queries.with_coming_slots(queries.offers_open_to(member), now).order_by(
        elsewhere, "kind", "pk"
    )[:_OFFERS_SHOWN]
    shown = [_offer(offer, midnight) for offer in offers]
    account = personal.own_account(member)
    context = {
        "meals": [one for one in shown if one["offer"].kind == Offer.Kind.MEAL],
        "others": [one for one in shown if one["offer"].kind != Offer.Kind.MEAL],
        "bookings": queries.bookings_visible_to(member)
        .filter(state=Booking.State.BOOKED, expires_at__gt=now)
        .order_by("slot__starts_at", "pk")[:20],
        "account": account_data(account) if account else None,
    }
    return render(request, "spending/meals.html", context)


def _offer(offer: Offer, until: datetime | None) -> dict[str, Any]:
    """Return an offer with the servings that start before `until`."""
    slots = [
        {"slot": slot, "left": slot.capacity - slot.taken}
        for slot in offer.coming  # type: ignore[attr-defined]
        if until is None or slot.starts_at < until
    ]
    return {
        "offer": offer,
        "price": credits_text(offer.price),
        "slots": slots,
        "open": offer.daily_seats is None or any(slot["left"] for slot in slots),
    }


def _offer_open(member: Member, offer_id: int) -> Offer:
    offers = queries.with_coming_slots(queries.offers_open_to(member), clock.now())
    offer = offers.filter(pk=offer_id).first()
    if offer is None:
        raise NotFound
    return offer


def _guests(request: HttpRequest, offer: Offer) -> dict[str, Any]:
    """Return the people to choose from; what was chosen or searched for stays."""
    said = ids([request.POST.get("for_member") or request.GET.get("for_member")])
    chosen = said[0] if said else None
    search = request.GET.get("q", "")[:80].replace("\0", "")
    guests = queries.guests_for(member_of(request), offer, search=search, chosen=chosen)
    return {
        "guests": guests,
        "guest": chosen,
        "search": search,
        "offer": offer,
        "most_found": queries.MOST_FOUND,
    }


@login_required
@require_safe
def guests(request: HttpRequest, offer_id: int) -> HttpResponse:
    """The people found by name, for the page of a booking."""
    offer = _offer_open(member_of(request), offer_id)
    return render(request, "spending/guests.html", _guests(request, offer))


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def book(request: HttpRequest, offer_id: int) -> HttpResponse:
    """Choose the serving, for whom, how many; then the booking with its code."""
    member = member_of(request)
    offer = _offer_open(member, offer_id)
    people = _guests(request, offer)
    form = BookForm(request.POST or None, initial={"key": secrets.token_hex(16)})
    status = 200
    if request.method == "POST":
        status = 409
        if form.is_valid() and not (people["guests"].myself or form.wanted()["for_member_id"]):
            form.add_error("for_member", _("Choose whom it is for."))
        if form.is_valid():
            made = _book(request, offer_id, form)
            if made is not None:
                return redirect("spending:booking", booking_id=made)
        if not request.POST.get("key"):
            form.renew_key()
    account = personal.own_account(member)
    context = {
        **_offer(offer, None),
        **people,
        "chosen": request.POST.get("slot") or request.GET.get("slot", ""),
        "form": form,
        "account": account_data(account) if account else None,
    }
    return render(request, "spending/book.html", context, status=status)


def _book(request: HttpRequest, offer_id: int, form: BookForm) -> int | None:
    """Book what the form says and return the booking's id; the form sent again, the first one's.

    Whoever went back and changed the form, or gave the first booking up, is asked once more.
    """
    member = member_of(request)
    wanted = form.wanted()

    def service(work: UnitOfWork) -> tuple[int, Any]:
        made = services.book(actor=member, offer_id=offer_id, now=work.now, **wanted)
        return 201, made.pk

    key = form.cleaned_data["key"] or secrets.token_hex(16)
    try:
        outcome = page_write_once(request, service, key=key, said=sorted(wanted.items()))
    except KeyReused:
        outcome = None
    else:
        if outcome is None:
            return None
        first = Booking.objects.filter(pk=outcome.body, state=Booking.State.BOOKED)
        if not outcome.replayed or first.exists():
            return int(outcome.body)
    form.renew_key()
    messages.error(
        request,
        _("Your first booking was made already. To book once more, look at this and go on."),
    )
    return None


def _booking(request: HttpRequest, booking_id: int) -> Booking:
    booking = queries.bookings_visible_to(member_of(request)).filter(pk=booking_id).first()
    if booking is None:
        raise NotFound
    return booking


@login_required
@require_safe
def booking(request: HttpRequest, booking_id: int) -> HttpResponse:
    """A booking with its code, large enough for any scanner and any eye."""
    member = member_of(request)
    topic = f"member:{member.pk}"
    since = head(topic)
    found = _booking(request, booking_id)
    context = {
        "booking": found,
        "price": credits_text(found.price),
        "qr": qr(found.code),
        "code": spaced(found.code),
        "open": found.state == Booking.State.BOOKED and found.expires_at > clock.now(),
        "topic": topic,
        "since": since,
    }
    part = request.headers.get("HX-Request") == "true"
    name = "spending/booking_part.html" if part else "spending/booking.html"
    return render(request, name, context)


@login_required
@require_safe
def booking_qr(request: HttpRequest, booking_id: int) -> HttpResponse:
    """The booking's QR code as a picture, to be saved or printed."""
    found = _booking(request, booking_id)
    if found.state != Booking.State.BOOKED:
        raise NotFound
    svg = io.BytesIO()
    segno.make_qr(found.code, error="m").save(svg, kind="svg", scale=8, xmldecl=False)
    answer = HttpResponse(svg.getvalue(), content_type="image/svg+xml")
    answer["Cache-Control"] = "private, no-store"
    return answer


@login_required
@require_POST
def cancel(request: HttpRequest, booking_id: int) -> HttpResponse:
    """Cancel a booking."""
    member = member_of(request)
    page_write(
        request,
        lambda work: services.cancel_booking(actor=member, booking_id=booking_id, now=work.now),
    )
    return redirect("spending:booking", booking_id=booking_id)


@login_required
@never_cache
@require_safe
def pay(request: HttpRequest) -> HttpResponse:
    """My pay code; fetched again every 20 seconds, and at once when it paid: then it says so."""
    member = member_of(request)
    topic = f"member:{member.pk}"
    since = head(topic)
    with unit_of_work(member) as work:
        code = services.issue_pay_code(actor=member, now=work.now)
    account = personal.own_account(member)
    paid = queries.last_charge(member, clock.now() - _JUST_PAID)
    context = {
        "topic": topic,
        "since": since,
        "paid": paid,
        "paid_amount": credits_text(paid.amount) if paid else "",
        "qr": qr(code.code),
        "code": spaced(code.code),
        "expires_at": code.expires_at.isoformat(),
        "account": account_data(account) if account else None,
    }
    part = request.headers.get("HX-Request") == "true"
    return render(request, "spending/pay_part.html" if part else "spending/pay.html", context)


def _counter(request: HttpRequest) -> tuple[list[Partner], Partner]:
    """Return where the member serves, and the one chosen by `?partner=`."""
    partners = list(rules.partners_of_staff(member_of(request)).filter(active=True))
    if not partners:
        raise NotAllowed
    asked = request.GET.get("partner")
    chosen = [partner for partner in partners if asked is None or str(partner.pk) == asked]
    if not chosen:
        raise NotFound
    return partners, chosen[0]


@login_required
@require_safe
def counter(request: HttpRequest) -> HttpResponse:
    """Scan or type a code: a clear yes or no, and how today goes."""
    partners, partner = _counter(request)
    topic = f"partner:{partner.pk}"
    since = head(topic)
    context = {
        **_today(partner),
        "partner": partner,
        "partners": partners if len(partners) > 1 else [],
        "topic": topic,
        "since": since,
    }
    part = request.headers.get("HX-Request") == "true"
    return render(
        request, "spending/counter_part.html" if part else "spending/counter.html", context
    )


@login_required
@require_safe
def counter_charge(request: HttpRequest) -> HttpResponse:
    """Take a walk-in payment with the member's pay code."""
    partners, partner = _counter(request)
    several = len(partners) > 1
    context = {"partner": partner, "partners": partners if several else [], "several": several}
    return render(request, "spending/charge.html", context)


def _today(partner: Partner) -> dict[str, Any]:
    """Count today's bookings and payments of one partner, and list the bookings."""
    zone = ZoneInfo(partner.community.zone)
    start = datetime.combine(clock.now().astimezone(zone).date(), time(), zone)
    day = (start, start + timedelta(days=1))
    of_today = Booking.objects.filter(offer__partner=partner).filter(
        Q(slot__starts_at__gte=day[0], slot__starts_at__lt=day[1])
        | Q(slot=None, closed_at__gte=day[0], closed_at__lt=day[1])
    )
    kept = of_today.filter(state__in=[Booking.State.BOOKED, Booking.State.REDEEMED])
    served = kept.filter(state=Booking.State.REDEEMED)
    charges = Charge.objects.filter(partner=partner, at__gte=day[0], at__lt=day[1])
    return {
        "booked": kept.aggregate(sum=Sum("quantity"))["sum"] or 0,
        "served": served.aggregate(sum=Sum("quantity"))["sum"] or 0,
        "taken": credits_text(
            (served.aggregate(sum=Sum("price"))["sum"] or 0)
            + (charges.aggregate(sum=Sum("amount"))["sum"] or 0)
        ),
        "bookings": kept.select_related("member", "offer", "slot").order_by(
            "slot__starts_at", "pk"
        )[:200],
        "charges": charges.select_related("member").order_by("-pk")[:50],
    }
