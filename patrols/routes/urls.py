"""Where this app's pages (`urlpatterns`) and API calls (`api_urlpatterns`) live."""

from django.urls import URLPattern, path

from patrols.routes import api, pages

app_name = "routes"
urlpatterns: list[URLPattern] = [
    path("shifts/<id:shift_id>/route/", pages.shift_route, name="shift"),
    path("streets/<id:community_id>/", pages.streets, name="streets"),
]
api_urlpatterns: list[URLPattern] = [
    path("shifts/<id:shift_id>/route", api.ShiftRouteView.as_view(), name="shift-route"),
    path("shifts/<id:shift_id>/route.gpx", api.ShiftGpxView.as_view(), name="shift-gpx"),
    path("cells/<id:cell_id>/route", api.CellRouteView.as_view(), name="cell-route"),
    path("cells/<id:cell_id>/coverage", api.CoverageView.as_view(), name="cell-coverage"),
    path("tracks", api.TracksView.as_view(), name="tracks"),
]
