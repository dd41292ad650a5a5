"""The books in the admin: to be read only."""

from django.contrib import admin

from common.admin import ReadOnlyAdmin
from timebank.ledger.models import Account, Ledger, Posting, Seal, Transfer


@admin.register(Ledger)
class LedgerAdmin(ReadOnlyAdmin[Ledger]):
    list_display = ("community", "unit")
    list_select_related = ("community",)


@admin.register(Account)
class AccountAdmin(ReadOnlyAdmin[Account]):
    list_display = ("id", "kind", "member", "organisation", "balance", "held", "closed_at")
    list_filter = ("kind",)
    list_select_related = ("member", "organisation")
    search_fields = ("member__display_name", "organisation__name", "name")


class TransferInline(admin.TabularInline[Transfer, Posting]):
    model = Transfer
    fk_name = "posting"
    extra = 0
    can_delete = False


@admin.register(Posting)
class PostingAdmin(ReadOnlyAdmin[Posting]):
    list_display = ("id", "at", "reason", "actor", "memo", "source_type", "source_id")
    list_filter = ("reason",)
    list_select_related = ("actor",)
    inlines = [TransferInline]


@admin.register(Seal)
class SealAdmin(ReadOnlyAdmin[Seal]):
    list_display = ("ledger", "number", "at", "leaves", "digest")
