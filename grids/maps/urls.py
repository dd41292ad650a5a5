"""Where this app's pages (`urlpatterns`) and API calls (`api_urlpatterns`) live."""

from django.urls import path

from grids.maps import api, pages

app_name = "maps"
urlpatterns = [
    path("map/", pages.my_map, name="mine"),
    path("map/<str:code>/", pages.community_map, name="community"),
    path("map/<str:code>/frame/", pages.community_frame, name="frame"),
    path("map/<str:code>/buildings.json", pages.buildings, name="buildings"),
    path("map/<str:code>/streets.json", pages.streets, name="streets"),
]
api_urlpatterns = [
    path("communities", api.CommunityList.as_view()),
    path("cells", api.CellList.as_view()),
    path("cells/locate", api.CellLocate.as_view()),
]
