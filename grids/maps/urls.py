"""Where this app's pages (`urlpatterns`) and API calls (`api_urlpatterns`) live."""

from django.urls import URLPattern

app_name = "maps"
urlpatterns: list[URLPattern] = []
api_urlpatterns: list[URLPattern] = []
