"""Where this app's pages (`urlpatterns`) and API calls (`api_urlpatterns`) live."""

from django.urls import URLPattern, path

from timebank.spending import api, pages

app_name = "spending"
urlpatterns: list[URLPattern] = [
    path("meals/", pages.meals, name="meals"),
    path("meals/<id:offer_id>/", pages.book, name="book"),
    path("meals/<id:offer_id>/people/", pages.guests, name="guests"),
    path("bookings/<id:booking_id>/", pages.booking, name="booking"),
    path("bookings/<id:booking_id>/qr.svg", pages.booking_qr, name="booking-qr"),
    path("bookings/<id:booking_id>/cancel/", pages.cancel, name="cancel"),
    path("pay/", pages.pay, name="pay"),
    path("counter/", pages.counter, name="counter"),
    path("counter/charge/", pages.counter_charge, name="charge"),
]
api_urlpatterns: list[URLPattern] = [
    path("offers", api.OffersView.as_view(), name="offers"),
    path("bookings", api.BookingsView.as_view(), name="bookings"),
    path("bookings/<id:booking_id>", api.BookingView.as_view(), name="booking"),
    path("bookings/<id:booking_id>/cancel", api.CancelView.as_view(), name="cancel"),
    path("redemptions", api.RedemptionsView.as_view(), name="redemptions"),
    path("charges", api.ChargesView.as_view(), name="charges"),
    path("me/pay-code", api.PayCodeView.as_view(), name="pay-code"),
]
