"""Where this app's pages (`urlpatterns`) and API calls (`api_urlpatterns`) live."""

from django.urls import URLPattern, path

from patrols.checkins import pages
from patrols.checkins.api import CheckInCodeView, CheckInsView

app_name = "checkins"
urlpatterns: list[URLPattern] = [
    path("", pages.home, name="today"),
    path("today/part/", pages.today_part, name="today-part"),
    path("shifts/<id:shift_id>/code/", pages.meeting_code, name="meeting-code"),
]
api_urlpatterns: list[URLPattern] = [
    path("checkins", CheckInsView.as_view(), name="checkins"),
    path("checkins/<id:checkin_id>/code", CheckInCodeView.as_view(), name="checkin-code"),
]
