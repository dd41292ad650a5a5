"""Where this app's pages (`urlpatterns`) and API calls (`api_urlpatterns`) live."""

from django.urls import URLPattern, path

from patrols.rosters import api, pages

app_name = "rosters"
urlpatterns: list[URLPattern] = [
    path("availability/", pages.availability, name="availability"),
    path("rosters/", pages.roster_list, name="list"),
    path("rosters/<id:run_id>/", pages.roster_page, name="run"),
    path("rosters/<id:run_id>/part/", pages.roster_part, name="run-part"),
    path("rosters/<id:run_id>/apply/", pages.roster_apply, name="apply"),
    path("shifts/<id:shift_id>/replacements/", pages.replacements, name="replacements"),
]
api_urlpatterns: list[URLPattern] = [
    path("rosters", api.RostersView.as_view(), name="rosters"),
    path("rosters/<id:run_id>", api.RosterView.as_view(), name="roster"),
    path("rosters/<id:run_id>/apply", api.ApplyView.as_view(), name="roster-apply"),
    path(
        "shifts/<id:shift_id>/replacements",
        api.ReplacementsView.as_view(),
        name="shift-replacements",
    ),
    path("me/availability", api.AvailabilityView.as_view(), name="availability"),
]
