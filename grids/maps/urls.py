"""Where this app's pages (`urlpatterns`) and API calls (`api_urlpatterns`) live."""

from django.urls import path

from grids.maps import api, heat_pages, pages, plan_api, plan_pages, poster_pages

app_name = "maps"
urlpatterns = [
    path("map/", pages.my_map, name="mine"),
    path("map/<str:code>/", pages.community_map, name="community"),
    path("map/<str:code>/plan/", plan_pages.editor, name="plan"),
    path("map/<str:code>/plan/part/", plan_pages.part, name="plan-part"),
    path("map/<str:code>/plan/start/", plan_pages.start, name="plan-start"),
    path("map/<str:code>/plan/publish/", plan_pages.publish, name="plan-publish"),
    path("map/<str:code>/plan/discard/", plan_pages.discard, name="plan-discard"),
    path("map/<str:code>/plan/undo/", plan_pages.undo, name="plan-undo"),
    path("map/<str:code>/frame/", pages.community_frame, name="frame"),
    path("map/<str:code>/buildings.json", pages.buildings, name="buildings"),
    path("map/<str:code>/cells/<str:cell_code>/poster/", poster_pages.poster_page, name="poster"),
    path(
        "map/<str:code>/cells/<str:cell_code>/poster.pdf",
        poster_pages.poster_pdf,
        name="poster-pdf",
    ),
    path("map/<str:code>/heat/", heat_pages.heat_page, name="heat"),
    path("map/<str:code>/heat/frame/", heat_pages.heat_frame, name="heat-frame"),
    path("map/<str:code>/files/<str:name>", heat_pages.download, name="download"),
    path("map/<str:code>/streets.json", pages.streets, name="streets"),
]
api_urlpatterns = [
    path("communities", api.CommunityList.as_view()),
    path("cells", api.CellList.as_view()),
    path("cells/locate", api.CellLocate.as_view()),
    path("plans", plan_api.PlanList.as_view()),
    path("plans/<id:plan_id>", plan_api.PlanDetail.as_view()),
    path("plans/<id:plan_id>/cells", plan_api.PlanCells.as_view()),
    path("plans/<id:plan_id>/ground", plan_api.PlanGround.as_view()),
    path("plans/<id:plan_id>/diff", plan_api.PlanDiff.as_view()),
    path("plans/<id:plan_id>/moves", plan_api.PlanMoves.as_view()),
    path("plans/<id:plan_id>/borders", plan_api.PlanBorders.as_view()),
    path("plans/<id:plan_id>/undo", plan_api.PlanUndo.as_view()),
    path("plans/<id:plan_id>/redo", plan_api.PlanRedo.as_view()),
    path("plans/<id:plan_id>/publish", plan_api.PlanPublish.as_view()),
    path("plans/<id:plan_id>/discard", plan_api.PlanDiscard.as_view()),
]
