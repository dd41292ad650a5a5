"""Where this app's pages (`urlpatterns`) and API calls (`api_urlpatterns`) live."""

from django.urls import URLPattern, path

from timebank.ledger import api, pages

app_name = "ledger"
urlpatterns: list[URLPattern] = [
    path("credits/", pages.credits_page, name="credits"),
    path("credits/statement/", pages.statement, name="statement"),
    path("give/", pages.give, name="give"),
]
api_urlpatterns: list[URLPattern] = [
    path("accounts/<id:account_id>", api.AccountView.as_view(), name="account"),
    path("accounts/<id:account_id>/transfers", api.TransfersView.as_view(), name="lines"),
    path("accounts/<id:account_id>/statement", api.StatementView.as_view(), name="statement"),
    path("transfers", api.GiveView.as_view(), name="give"),
]
