"""Accounts, their lines and statements, and giving credits."""

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from common import clock
from common.api import KEY_HEADER, CreditsField, Endpoint, IdField, idempotency_key
from common.errors import NotFound
from common.money import credits_text
from common.pagination import ByIdPagination
from common.unit_of_work import UnitOfWork
from grids.people.backends import member_of
from timebank.ledger import paper, queries, services, statements
from timebank.ledger.models import Account

_ACCOUNT: dict[str, serializers.Field[Any, Any, Any, Any]] = {
    "id": serializers.IntegerField(),
    "kind": serializers.CharField(),
    "owner": serializers.CharField(),
    "balance": serializers.CharField(),
    "held": serializers.CharField(),
    "available": serializers.CharField(),
}
AccountOut = inline_serializer("Account", _ACCOUNT)
LineOut = inline_serializer(
    "LedgerLine",
    {
        "id": serializers.IntegerField(),
        "posting": serializers.IntegerField(),
        "at": serializers.DateTimeField(),
        "reason": serializers.CharField(),
        "text": serializers.CharField(),
        "memo": serializers.CharField(),
        "phase": serializers.CharField(),
        "direction": serializers.ChoiceField(["in", "out"]),
        "moved": serializers.BooleanField(),
        "amount": serializers.CharField(),
        "balance": serializers.CharField(allow_null=True),
        "other": serializers.DictField(),
        "reverses": serializers.IntegerField(allow_null=True),
        "hold": serializers.IntegerField(allow_null=True),
    },
)
_LINE = {
    "id": 91, "posting": 77, "at": "2026-06-01T04:00:00Z", "reason": "given", "text": "Given",
    "memo": "Thank you", "phase": "posted", "direction": "out", "moved": True,
    "amount": "1.50", "balance": "3.00", "other": {"id": 12, "name": "王芳"}, "reverses": None,
    "hold": None,
}  # fmt: skip


StatementOut = inline_serializer(
    "Statement",
    {
        "account": AccountOut,
        "from": serializers.DateField(),
        "to": serializers.DateField(),
        "opening": serializers.CharField(),
        "closing": serializers.CharField(),
        "lines": serializers.ListField(child=serializers.DictField()),
        "complete": serializers.BooleanField(),
    },
)


class TransferIn(serializers.Serializer[Any]):
    """Give credits to an account."""

    to = IdField()
    amount = CreditsField()
    memo = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")


class StatementQuery(serializers.Serializer[Any]):
    """Which days (local, both included), and whether with inclusion proofs."""

    proofs = serializers.BooleanField(default=False)

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        fields["from"] = serializers.DateField(required=False)
        fields["to"] = serializers.DateField(required=False)
        return fields

    def validate(self, attrs: Any) -> Any:
        first, last = attrs.get("from"), attrs.get("to")
        for name, day in (("from", first), ("to", last)):
            if day and not 2000 <= day.year <= 2999:
                raise serializers.ValidationError({name: [_("Between the years 2000 and 2999.")]})
        if first and last and first > last:
            raise serializers.ValidationError({"to": [_("This is before `from`.")]})
        return attrs


class CsvRenderer(BaseRenderer):
    """Statements for spreadsheets; refusals stay JSON."""

    media_type = "text/csv"
    format = "csv"
    charset = "utf-8"

    def render(
        self, data: Any, accepted_media_type: Any = None, renderer_context: Any = None
    ) -> bytes:
        if "lines" not in data:
            return JSONRenderer().render(data)
        return statements.statement_csv(data).encode()


class PdfRenderer(BaseRenderer):
    """Statements for paper; refusals stay JSON."""

    media_type = "application/pdf"
    format = "pdf"
    charset = None
    render_style = "binary"

    def render(
        self, data: Any, accepted_media_type: Any = None, renderer_context: Any = None
    ) -> bytes:
        if "lines" not in data:
            return JSONRenderer().render(data)
        return paper.statement_pdf(data)


def visible_account(request: Request, account_id: int) -> Account:
    """Return the account, or raise NotFound for somebody else's."""
    account = (
        queries.accounts_visible_to(member_of(request))
        .select_related("ledger__community")
        .filter(pk=account_id)
        .first()
    )
    if account is None:
        raise NotFound
    return account


class AccountView(Endpoint):
    """One account."""

    @extend_schema(
        tags=["ledger"],
        summary="An account's balance",
        responses=AccountOut,
        examples=[
            OpenApiExample(
                "account",
                {
                    "id": 4, "kind": "member", "owner": "李梅", "balance": "4.50",
                    "held": "1.00", "available": "3.50",
                },
            )
        ],
    )  # fmt: skip
    def get(self, request: Request, account_id: int) -> Response:
        return Response(queries.account_data(visible_account(request, account_id)))


class NewestFirst(ByIdPagination):
    """Newest first by time, along the index of an account's lines."""

    ordering = ("-at", "-id")


class TransfersView(Endpoint):
    """The lines of one account, newest first."""

    pagination_class = NewestFirst

    @extend_schema(
        tags=["ledger"],
        summary="An account's lines",
        operation_id="accounts_transfers_list",
        responses=serializers.ListSerializer(child=LineOut),
        examples=[OpenApiExample("a line", _LINE)],
    )
    def get(self, request: Request, account_id: int) -> Response:
        account = visible_account(request, account_id)
        pages = self.pagination_class()
        page = pages.paginate_queryset(queries.lines_of(account), request, view=self)
        return pages.get_paginated_response(queries.lines_data(account, page or []))


class StatementView(Endpoint):
    """A period of one account, as JSON, CSV or PDF."""

    renderer_classes = [JSONRenderer, CsvRenderer, PdfRenderer]

    @extend_schema(
        tags=["ledger"],
        summary="A statement; `?format=csv` or `pdf`, or by `Accept`",
        description=(
            "`?format=csv` or `Accept: text/csv` is for spreadsheets, in the community's time; "
            "`?format=pdf` or "
            "`Accept: application/pdf` for paper: A4, at most 20,000 lines (400 beyond that)."
        ),
        parameters=[StatementQuery],
        responses={
            (200, "application/json"): StatementOut,
            (200, "text/csv"): OpenApiTypes.STR,
            (200, "application/pdf"): OpenApiTypes.BINARY,
        },
        examples=[
            OpenApiExample(
                "statement",
                {
                    "account": {"id": 4, "kind": "member", "owner": "李梅", "balance": "3.00",
                                "held": "0.00", "available": "3.00"},
                    "from": "2026-05-03", "to": "2026-06-01", "opening": "4.50",
                    "closing": "3.00", "lines": [_LINE], "complete": True,
                },
                media_type="application/json",
            )
        ],
    )  # fmt: skip
    def get(self, request: Request, account_id: int) -> Response:
        account = visible_account(request, account_id)
        asked = self.read_query(StatementQuery)
        days = statements.period(account, asked.get("from"), asked.get("to"), clock.now())
        if request.accepted_renderer.format != PdfRenderer.format:
            data = statements.statement(account, days, proofs=asked["proofs"])
            if request.accepted_renderer.format == CsvRenderer.format:
                data = statements.in_local_time(account, data)
            return Response(data)
        return Response(
            statements.statement_to_print(account, days),
            headers={"Content-Disposition": statements.attachment(account, days, "pdf")},
        )


class GiveView(Endpoint):
    """Give credits."""

    @extend_schema(
        tags=["ledger"],
        summary="Give credits to an account of your community (Idempotency-Key required)",
        parameters=[KEY_HEADER],
        request=TransferIn,
        responses={
            201: inline_serializer(
                "Transfer",
                {
                    "id": serializers.IntegerField(),
                    "posting": serializers.IntegerField(),
                    "to": serializers.IntegerField(),
                    "amount": serializers.CharField(),
                    "memo": serializers.CharField(),
                    "at": serializers.DateTimeField(),
                },
            )
        },
        examples=[
            OpenApiExample(
                "give", {"to": 12, "amount": "1.50", "memo": "Thank you"}, request_only=True
            ),
            OpenApiExample(
                "given",
                {"id": 91, "posting": 77, "to": 12, "amount": "1.50", "memo": "Thank you",
                 "at": "2026-06-01T04:00:00Z"},
                response_only=True,
            ),
        ],
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        body = self.read(TransferIn)
        key = idempotency_key(request, required=True) or ""

        def service(work: UnitOfWork) -> tuple[int, Any]:
            posting = services.give(
                actor=member_of(request),
                to_id=body["to"],
                amount=body["amount"],
                memo=body["memo"],
                key=key,
                now=work.now,
            )
            transfer = posting.transfers.get()
            return 201, {
                "id": transfer.pk,
                "posting": posting.pk,
                "to": transfer.credit_id,
                "amount": credits_text(transfer.amount),
                "memo": posting.memo,
                "at": posting.at,
            }

        return self.write(service, key_required=True)
