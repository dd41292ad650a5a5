"""Where this app's pages (`urlpatterns`) and API calls (`api_urlpatterns`) live."""

from django.urls import URLPattern, path

from patrols.shifts import api

app_name = "shifts"
urlpatterns: list[URLPattern] = []
api_urlpatterns: list[URLPattern] = [
    path("shifts", api.ShiftsView.as_view(), name="shifts"),
    path("shifts/<id:shift_id>", api.ShiftView.as_view(), name="shift"),
    path("shifts/<id:shift_id>/claim", api.ClaimView.as_view(), name="shift-claim"),
    path("shifts/<id:shift_id>/release", api.ReleaseView.as_view(), name="shift-release"),
    path("shifts/<id:shift_id>/assign", api.AssignView.as_view(), name="shift-assign"),
    path("shifts/<id:shift_id>/cancel", api.CancelView.as_view(), name="shift-cancel"),
]
