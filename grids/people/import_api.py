"""Imports and geocoding over HTTP."""

import hashlib
from dataclasses import asdict
from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from common.api import Endpoint, IdField, answer, idempotency_key
from common.errors import BadInput, NotAllowed
from common.unit_of_work import UnitOfWork, perform
from grids.people import services, uploads
from grids.people.backends import member_of
from grids.people.import_pages import check_and_keep, report_response, upload_of
from grids.people.models import Upload
from grids.people.queries import SEES_MEMBERS, administered_communities, communities_of
from grids.people.rules import holds_anywhere
from grids.people.services import Duplicates
from grids.places import geocode
from grids.places.datum import DATUMS
from grids.places.wording import todo, what


class ImportRequest(serializers.Serializer[Any]):
    """A file and how it is to be read."""

    kind = serializers.ChoiceField(choices=Upload.Kind.choices)
    community = IdField()
    file = serializers.FileField(allow_empty_file=True)
    datum = serializers.ChoiceField(choices=DATUMS, default="wgs84")
    swap = serializers.BooleanField(default=False)
    duplicates = serializers.ChoiceField(
        choices=[one.value for one in Duplicates], default="refuse"
    )
    leave_unknown_homes = serializers.BooleanField(default=False)


class FindingAnswer(serializers.Serializer[Any]):
    row = serializers.IntegerField(help_text="Feature or spreadsheet row; 0 for the whole file.")
    column = serializers.CharField()
    level = serializers.ChoiceField(choices=["error", "duplicate", "warning", "repaired"])
    code = serializers.CharField()
    what = serializers.CharField()
    todo = serializers.CharField()


class ImportAnswer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    kind = serializers.CharField()
    community = serializers.IntegerField()
    state = serializers.ChoiceField(choices=["ready", "refused", "imported"])
    rows = serializers.IntegerField(help_text="How many would be written.")
    counts = serializers.DictField(child=serializers.IntegerField())
    findings = FindingAnswer(many=True)
    result = serializers.DictField(child=serializers.IntegerField(), allow_null=True)


def import_data(upload: Upload) -> dict[str, Any]:
    """Return one upload as JSON, its first 200 findings in words."""
    state = "imported" if upload.done_at else "ready" if upload.good else "refused"
    return {
        "id": upload.pk,
        "kind": upload.kind,
        "community": upload.community_id,
        "state": state,
        "rows": upload.rows,
        "counts": upload.counts,
        "findings": [
            {
                "row": one.row,
                "column": one.column,
                "level": one.level.value,
                "code": one.code,
                "what": what(one),
                "todo": todo(one),
            }
            for one in uploads.findings_of(upload)[:200]
        ],
        "result": upload.result,
    }


class Imports(Endpoint):
    """Check a file."""

    parser_classes = (MultiPartParser,)

    @extend_schema(request={"multipart/form-data": ImportRequest}, responses={201: ImportAnswer})
    def post(self, request: Request) -> Response:
        """Check a file for an administrator; nothing is imported yet."""
        actor = member_of(request)
        data = self.read(ImportRequest)
        community = administered_communities(actor).filter(pk=data["community"]).first()
        if community is None:
            raise BadInput({"community": ["You administer no such community."]})
        key = idempotency_key(request, required=False)
        file = data["file"]
        if data["kind"] == Upload.Kind.MEMBERS:
            names = ("duplicates", "leave_unknown_homes")
        else:
            names = ("datum", "swap")
        options = {name: data[name] for name in names}
        kept = check_and_keep(
            actor=actor, kind=data["kind"], community=community, file=file, options=options
        )
        seen = repr(("imports", data["kind"], community.pk, options)).encode() + kept["content"]

        def keep(work: UnitOfWork) -> tuple[int, Any]:
            return 201, import_data(services.keep_upload(**kept, now=work.now))

        digest = hashlib.sha256(seen).hexdigest()
        return answer(perform(keep, actor=actor, key=key, fingerprint=digest))


class ImportDetail(Endpoint):
    """One file."""

    @extend_schema(responses=ImportAnswer)
    def get(self, request: Request, upload_id: int) -> Response:
        """Return what was found in a file that the caller sent."""
        return Response(import_data(upload_of(member_of(request), upload_id)))


class ImportReport(Endpoint):
    """One file's report."""

    @extend_schema(responses={(200, "text/csv"): OpenApiTypes.STR})
    def get(self, request: Request, upload_id: int) -> HttpResponse:
        """Return all that was found as CSV."""
        return report_response(upload_of(member_of(request), upload_id))


class ImportApply(Endpoint):
    """Import one file."""

    @extend_schema(request=None, responses=ImportAnswer)
    def post(self, request: Request, upload_id: int) -> Response:
        """Import a checked file, all or nothing; 409 `import_refused` or `already_imported`."""
        actor = member_of(request)
        upload = upload_of(actor, upload_id)
        with uploads.checked(
            kind=upload.kind,
            community=upload.community,
            content=bytes(upload.content),
            options=upload.options,
        ) as ready:
            return self.write(
                lambda work: (
                    200,
                    import_data(
                        services.apply_upload(
                            upload_id=upload.pk,
                            actor=actor,
                            good=ready.good,
                            write=ready.write,
                            now=work.now,
                        )
                    ),
                )
            )


_PLACE = {
    "label": "文化路3号", "lat": 37.16, "lon": 122.42, "source": "buildings", "building": 7,
    "community": 2,
}  # fmt: skip


class GeocodeQuery(serializers.Serializer[Any]):
    q = serializers.CharField(max_length=200)


class Geocode(Endpoint):
    """Where is an address?"""

    @extend_schema(
        parameters=[OpenApiParameter("q", str, required=True)],
        responses=OpenApiTypes.OBJECT,
        examples=[OpenApiExample("Found", {"results": [_PLACE]})],
    )
    def get(self, request: Request) -> Response:
        """Return places (WGS84) for staff: own buildings first, else the geocoder if one is set."""
        actor = member_of(request)
        if not (actor.is_superuser or holds_anywhere(actor, SEES_MEMBERS)):
            raise NotAllowed
        query = self.read_query(GeocodeQuery)["q"]
        mine = list(communities_of(actor))
        known = {one.pk for one in mine}
        roots = [one for one in mine if one.parent_id not in known]
        return Response({"results": [asdict(place) for place in geocode.search(query, roots)]})
