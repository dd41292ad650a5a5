"""Where this app's pages (`urlpatterns`) and API calls (`api_urlpatterns`) live."""

from django.urls import URLPattern, path

from grids.people import api

app_name = "people"
urlpatterns: list[URLPattern] = []
api_urlpatterns: list[URLPattern] = [
    path("auth/codes", api.Codes.as_view(), name="auth-codes"),
    path("auth/tokens", api.Tokens.as_view(), name="auth-tokens"),
    path("me", api.Me.as_view(), name="me"),
    path("me/export", api.MyExport.as_view(), name="me-export"),
]
