"""Where this app's pages (`urlpatterns`) and API calls (`api_urlpatterns`) live."""

from django.urls import URLPattern, path

from patrols.checkins.api import CheckInsView

app_name = "checkins"
urlpatterns: list[URLPattern] = []
api_urlpatterns: list[URLPattern] = [path("checkins", CheckInsView.as_view(), name="checkins")]
