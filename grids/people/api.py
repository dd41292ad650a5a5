"""Sign-in and the member's own record over HTTP."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from common.api import Endpoint
from common.errors import DomainError
from common.unit_of_work import UnitOfWork, unit_of_work
from grids.people import queries, services
from grids.people.backends import member_of
from grids.people.limits import client_address
from grids.people.phones import PhoneField


class CodeRequest(serializers.Serializer[Any]):
    """Whom to send a code."""

    phone = PhoneField(help_text="In any common form; without + it is read in the site's region.")


class TokenRequest(CodeRequest):
    """The code that came by SMS."""

    code = serializers.RegexField(
        r"\A[0-9]{6}\Z",
        error_messages={"invalid": _("The code has six digits.")},
        help_text="Six digits.",
    )


class CodeAnswer(serializers.Serializer[Any]):
    expires_in = serializers.IntegerField(help_text="Seconds for which the code is valid.")


class TokenAnswer(serializers.Serializer[Any]):
    token = serializers.CharField(help_text="Send it as `Authorization: Token <token>`.")


class PlaceAnswer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    name = serializers.CharField()


class RoleAnswer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    kind = serializers.CharField()
    community = serializers.IntegerField(allow_null=True)
    cell = serializers.IntegerField(allow_null=True)
    organisation = serializers.IntegerField(allow_null=True)
    building = serializers.IntegerField(allow_null=True)
    scope = serializers.CharField(help_text="The name of what the role is over.")
    starts_on = serializers.DateField()
    ends_on = serializers.DateField(allow_null=True)


class MeAnswer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    name = serializers.CharField()
    phone = serializers.CharField(allow_null=True)
    language = serializers.CharField()
    large_text = serializers.BooleanField()
    community = PlaceAnswer(allow_null=True)
    roles = RoleAnswer(many=True)
    cells = serializers.ListField(
        child=serializers.DictField(),
        help_text="id, code, name, kind, captain: where the member lives, then chat groups.",
    )
    account = serializers.DictField(
        required=False, help_text="id, balance, held, available; from the time bank."
    )


class Anonymous(Endpoint):
    """A call without an identity: no session is read, so none needs a CSRF token.

    An Idempotency-Key is not kept here: the stored answer would hold a token in clear.
    """

    authentication_classes = ()
    permission_classes = (AllowAny,)


class Codes(Anonymous):
    """Send a one-time code."""

    @extend_schema(
        tags=["people"],
        summary="Ask for a sign-in code by SMS",
        description="The same answer whether the phone is known. 429 with Retry-After when a "
        "phone (3 in 10 minutes, 10 a day) or an address asks too often.",
        request=CodeRequest,
        responses={
            202: CodeAnswer,
            400: OpenApiResponse(description="No phone number"),
            429: OpenApiResponse(description="too_many_requests"),
        },
        examples=[
            OpenApiExample("ask", value={"phone": "+86 138 0000 0000"}, request_only=True),
            OpenApiExample(
                "sent", value={"expires_in": 600}, response_only=True, status_codes=["202"]
            ),
        ],
    )
    def post(self, request: Request) -> Response:
        phone = self.read(CodeRequest)["phone"]
        with unit_of_work() as work:
            services.request_code(phone=phone, address=client_address(request), now=work.now)
        return Response({"expires_in": int(services.CODE_LIVES.total_seconds())}, status=202)


class Tokens(Anonymous):
    """Trade a one-time code for an API token."""

    @extend_schema(
        tags=["people"],
        summary="Trade the code for an API token",
        request=TokenRequest,
        responses={
            201: TokenAnswer,
            400: OpenApiResponse(description="invalid, wrong_code or code_expired"),
        },
        examples=[
            OpenApiExample(
                "code", value={"phone": "+8613800000000", "code": "123456"}, request_only=True
            ),
            OpenApiExample(
                "token",
                value={"token": "fJ3v…"},
                response_only=True,
                status_codes=["201"],
            ),
        ],
    )
    def post(self, request: Request) -> Response:
        body = self.read(TokenRequest)
        with unit_of_work() as work:
            found = services.sign_in_with_code(phone=body["phone"], code=body["code"], now=work.now)
            if not isinstance(found, DomainError):
                token = services.issue_token(member=found, label="api", now=work.now)
        if isinstance(found, DomainError):
            raise found
        return Response({"token": token}, status=201)


class Me(Endpoint):
    """The member's own record."""

    @extend_schema(
        tags=["people"],
        summary="Who I am, what I may do, what I have",
        responses=MeAnswer,
        examples=[
            OpenApiExample(
                "a volunteer",
                value={
                    "id": 7,
                    "name": "王秀英",
                    "phone": "+8613800000007",
                    "language": "zh-hans",
                    "large_text": False,
                    "community": {"id": 2, "name": "河东社区"},
                    "roles": [],
                    "account": {"id": 9, "balance": "1.50", "held": "0.00", "available": "1.50"},
                },
                response_only=True,
            )
        ],
    )
    def get(self, request: Request) -> Response:
        return Response(queries.whole_me(member_of(request)))

    @extend_schema(
        tags=["people"],
        summary="Erase my personal data",
        description="Ends every token and session. Hours and credits stay in the books under a "
        "pseudonym. 409 where something must be settled first.",
        request=None,
        responses={204: None, 409: OpenApiResponse(description="Something is still open")},
    )
    def delete(self, request: Request) -> Response:
        member = member_of(request)

        def service(work: UnitOfWork) -> tuple[int, None]:
            services.erase_member(member=member, actor=member, now=work.now)
            return 204, None

        response = self.write(service)
        request._request.session.flush()
        return response


class MyExport(Endpoint):
    """All personal data of the member as one JSON file."""

    @extend_schema(
        tags=["people"],
        summary="Download my personal data",
        responses={200: OpenApiTypes.OBJECT},
        examples=[
            OpenApiExample(
                "export",
                value={"made_at": "2026-06-01T14:00:00+08:00", "people": {"member": {"id": 7}}},
                response_only=True,
            )
        ],
    )
    def get(self, request: Request) -> Response:
        member = member_of(request)
        response = Response(queries.export_of(member))
        response["Content-Disposition"] = f'attachment; filename="linli-{member.pk}.json"'
        response["Cache-Control"] = "no-store"
        return response
