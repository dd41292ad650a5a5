"""Communities, cells, and which cell a point is in."""

import json
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from common.api import Endpoint, FiniteField, IdField
from common.errors import NotFound
from common.pagination import ByIdPagination
from common.unit_of_work import UnitOfWork
from grids.maps import ground, packed, queries
from grids.people.backends import member_of
from grids.people.group_api import GroupAnswer, GroupName, group_data
from grids.people.services import create_group
from grids.places import index
from grids.places.queries import published_shapes

_CELL = {
    "type": "Feature",
    "id": 4,
    "geometry": {"type": "Polygon", "coordinates": [[[9.51, 47.14], [9.52, 47.14], [9.51, 47.15]]]},
    "properties": {
        "id": 4,
        "code": "G004",
        "name": "G004",
        "kind": "geographic",
        "community": 2,
        "households": 412,
        "captain": {"id": 17, "name": "王秀兰"},
    },
}


class OutsideAllCells(NotFound):
    """The point lies in no published cell."""

    code = "outside_all_cells"
    detail = _("This point is in no cell. Check that it is lat, lon in WGS84.")


class _ByPath(ByIdPagination):
    ordering = ("path",)


class CommunityOut(serializers.Serializer[Any]):
    """A community in a list."""

    id = serializers.IntegerField()
    code = serializers.CharField()
    name = serializers.CharField()
    level = serializers.CharField()
    parent = serializers.IntegerField(allow_null=True)  # type: ignore[assignment]
    zone = serializers.CharField()


class CommunityList(Endpoint):
    """Communities of the actor's towns."""

    pagination_class = _ByPath

    @extend_schema(
        tags=["places"],
        responses=CommunityOut(many=True),
        examples=[
            OpenApiExample(
                "A community",
                {
                    "id": 2,
                    "code": "371082007005",
                    "name": "河东社区",
                    "level": "community",
                    "parent": 1,
                    "zone": "Asia/Shanghai",
                },
            )
        ],
    )
    def get(self, request: HttpRequest) -> Response:
        """List the communities of the towns that you live or hold a role in."""
        pages = self.pagination_class()
        rows = queries.communities_visible_to(self.request.user).values(
            "id", "code", "name", "level", "parent", "zone", "path"
        )
        page = pages.paginate_queryset(rows, self.request, view=self) or []
        return pages.get_paginated_response(
            [{key: value for key, value in row.items() if key != "path"} for row in page]
        )


class _CellQuery(serializers.Serializer[Any]):
    community = IdField()


class NewGroup(GroupName):
    """A chat group to open."""

    community = IdField()


class CellList(Endpoint):
    """The published cells of a community and all below it."""

    @extend_schema(
        tags=["places"],
        parameters=[OpenApiParameter("community", int, required=True)],
        responses=OpenApiTypes.OBJECT,
        examples=[OpenApiExample("One cell", {"type": "FeatureCollection", "features": [_CELL]})],
    )
    def get(self, request: HttpRequest) -> HttpResponse:
        """Return the cells as a GeoJSON FeatureCollection, with an ETag and gzip."""
        wanted = self.read_query(_CellQuery)["community"]
        community = queries.community_visible_to(self.request.user, pk=wanted)
        borders = ground.borders(community)
        rows = queries.cell_rows(
            ground.shapes_of(community).values(), queries.groups_under(community)
        )
        text = queries.collection_text(
            queries.feature_text(row, borders.get(row["id"])) for row in rows
        )
        return packed.answer(self.request._request, text.encode(), content_type="application/json")

    @extend_schema(
        tags=["places"],
        summary="Open a chat group",
        request=NewGroup,
        responses={201: GroupAnswer},
        examples=[
            OpenApiExample("a group", {"community": 2, "name": "广场舞群"}, request_only=True)
        ],
    )
    def post(self, request: HttpRequest) -> Response:
        """Open a chat group (a virtual cell) in a community that you are captain of."""
        body, actor = self.read(NewGroup), member_of(self.request)
        community = queries.community_visible_to(actor, pk=body["community"])

        def service(work: UnitOfWork) -> tuple[int, Any]:
            cell = create_group(community=community, name=body["name"], actor=actor, now=work.now)
            return 201, group_data(cell, led=True)

        return self.write(service)


class _PointQuery(serializers.Serializer[Any]):
    lat = FiniteField(min_value=-90, max_value=90)
    lon = FiniteField(min_value=-180, max_value=180)


class CellLocate(Endpoint):
    """Which cell a point is in."""

    @extend_schema(
        tags=["places"],
        parameters=[
            OpenApiParameter("lat", float, required=True),
            OpenApiParameter("lon", float, required=True),
        ],
        responses=OpenApiTypes.OBJECT,
        examples=[OpenApiExample("The cell", _CELL)],
    )
    def get(self, request: HttpRequest) -> Response:
        """Return the cell (a GeoJSON feature) that holds a WGS84 point."""
        point = self.read_query(_PointQuery)
        cell = index.locate(lat=point["lat"], lon=point["lon"])
        shape = published_shapes().filter(cell=cell).first() if cell is not None else None
        if shape is None:
            raise OutsideAllCells
        visible = queries.communities_visible_to(self.request.user)
        if not visible.filter(pk=shape.cell.community_id).exists():
            raise OutsideAllCells
        (properties,) = queries.cell_rows([shape])
        border = ground.borders_of([(shape.cell_id, bytes(shape.geometry))])[shape.cell_id]
        return Response(json.loads(queries.feature_text(properties, border)))
