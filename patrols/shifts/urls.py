"""Where this app's pages (`urlpatterns`) and API calls (`api_urlpatterns`) live."""

from django.urls import URLPattern, path

from patrols.shifts import api, pages, series_pages

app_name = "shifts"
urlpatterns: list[URLPattern] = [
    path("shifts/", pages.shift_list, name="list"),
    path("shifts/<id:shift_id>/", pages.shift_page, name="shift"),
    path("shifts/<id:shift_id>/claim/", pages.claim, name="claim"),
    path("shifts/<id:shift_id>/release/", pages.release, name="release"),
    path("shifts/<id:shift_id>/assign/", pages.assign, name="assign"),
    path("shifts/<id:shift_id>/cancel/", pages.cancel, name="cancel"),
    path("activities/", series_pages.activity_list, name="activities"),
    path("activities/new/", series_pages.new_activity, name="new-activity"),
    path("activities/<id:activity_id>/", series_pages.activity_page, name="activity"),
    path("board/", pages.board, name="board"),
    path("board/<str:code>/", pages.board_of, name="board-of"),
    path("board/<str:code>/part/", pages.board_part, name="board-part"),
]
api_urlpatterns: list[URLPattern] = [
    path("activities", api.ActivitiesView.as_view(), name="activities"),
    path("activities/<id:activity_id>", api.ActivityView.as_view(), name="activity"),
    path("shifts", api.ShiftsView.as_view(), name="shifts"),
    path("shifts/<id:shift_id>", api.ShiftView.as_view(), name="shift"),
    path("shifts/<id:shift_id>/claim", api.ClaimView.as_view(), name="shift-claim"),
    path("shifts/<id:shift_id>/release", api.ReleaseView.as_view(), name="shift-release"),
    path("shifts/<id:shift_id>/assign", api.AssignView.as_view(), name="shift-assign"),
    path("shifts/<id:shift_id>/cancel", api.CancelView.as_view(), name="shift-cancel"),
]
