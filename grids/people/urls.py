"""Where this app's pages (`urlpatterns`) and API calls (`api_urlpatterns`) live."""

from django.urls import URLPattern, path

from grids.people import api, pages

app_name = "people"
urlpatterns: list[URLPattern] = [
    path("sign-in/", pages.sign_in, name="sign-in"),
    path("sign-in/code/", pages.sign_in_code, name="sign-in-code"),
    path("sign-in/link/<str:signed>/", pages.sign_in_link, name="sign-in-link"),
    path("sign-out/", pages.sign_out, name="sign-out"),
    path("me/", pages.me, name="me"),
    path("me/consents/<slug:purpose>/", pages.consent, name="consent"),
    path("me/proxies/<id:proxy_id>/end/", pages.end_proxy, name="end-proxy"),
    path("me/data/", pages.my_data, name="my-data"),
    path("me/delete/", pages.delete_me, name="delete-me"),
    # Before Django's own, which would ask for a password.
    path("admin/login/", pages.admin_sign_in, name="admin-sign-in"),
]
api_urlpatterns: list[URLPattern] = [
    path("auth/codes", api.Codes.as_view(), name="auth-codes"),
    path("auth/tokens", api.Tokens.as_view(), name="auth-tokens"),
    path("me", api.Me.as_view(), name="me"),
    path("me/export", api.MyExport.as_view(), name="me-export"),
]
