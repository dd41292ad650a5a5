"""Where this app's pages (`urlpatterns`) and API calls (`api_urlpatterns`) live."""

from django.urls import URLPattern, path

from patrols.shifts import api, pages

app_name = "shifts"
urlpatterns: list[URLPattern] = [
    path("shifts/", pages.shift_list, name="list"),
    path("shifts/<id:shift_id>/", pages.shift_page, name="shift"),
    path("shifts/<id:shift_id>/claim/", pages.claim, name="claim"),
    path("shifts/<id:shift_id>/release/", pages.release, name="release"),
    path("shifts/<id:shift_id>/assign/", pages.assign, name="assign"),
    path("shifts/<id:shift_id>/cancel/", pages.cancel, name="cancel"),
    path("board/", pages.board, name="board"),
    path("board/<str:code>/", pages.board_of, name="board-of"),
    path("board/<str:code>/part/", pages.board_part, name="board-part"),
]
api_urlpatterns: list[URLPattern] = [
    path("shifts", api.ShiftsView.as_view(), name="shifts"),
    path("shifts/<id:shift_id>", api.ShiftView.as_view(), name="shift"),
    path("shifts/<id:shift_id>/claim", api.ClaimView.as_view(), name="shift-claim"),
    path("shifts/<id:shift_id>/release", api.ReleaseView.as_view(), name="shift-release"),
    path("shifts/<id:shift_id>/assign", api.AssignView.as_view(), name="shift-assign"),
    path("shifts/<id:shift_id>/cancel", api.CancelView.as_view(), name="shift-cancel"),
]
