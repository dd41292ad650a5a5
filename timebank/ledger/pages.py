"""My credits, my statement, giving."""

import secrets
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from common import clock
from common.errors import BadInput, DomainError, KeyReused, NotFound
from common.money import credits_text
from common.pages import page_write
from common.unit_of_work import UnitOfWork
from grids.people.backends import member_of
from grids.people.models import Member
from realtime.queries import head
from timebank.ledger import paper, personal, queries, services, statements, words
from timebank.ledger.forms import GiveForm, PeriodForm
from timebank.ledger.models import Account, Posting

_RECENT = 15


def _account(request: HttpRequest) -> Account:
    """Return the account asked for by `?account=`, or the member's own."""
    member = member_of(request)
    asked = request.GET.get("account", "")
    if not asked:
        account = personal.own_account(member)
    elif asked.isascii() and asked.isdigit() and len(asked) <= 18:
        account = queries.accounts_visible_to(member).filter(pk=int(asked)).first()
    else:
        account = None
    if account is None:
        raise NotFound(_("You have no account yet: the community office opens one for you."))
    return account


@login_required
@require_safe
def credits_page(request: HttpRequest) -> HttpResponse:
    """What I have and what happened last."""
    member = member_of(request)
    topic = f"member:{member.pk}"
    since = head(topic)
    account = _account(request)
    own = account.member_id == member.pk
    recent = queries.lines_of(account).order_by("-at", "-pk")[:_RECENT]
    data = queries.account_data(account)
    context = {
        **data,
        "title": words.account_title(account, data["owner"], own=own),
        "own": own,
        "lines": words.with_words(queries.lines_data(account, recent)),
        "others": queries.accounts_visible_to(member).exclude(pk=account.pk)[:20],
        "topic": topic,
        "since": since,
    }
    part = request.headers.get("HX-Request") == "true"
    return render(request, "ledger/credits_part.html" if part else "ledger/credits.html", context)


@login_required
@require_safe
def statement(request: HttpRequest) -> HttpResponse:
    """A period of an account, also for spreadsheets."""
    account = _account(request)
    form = PeriodForm(request.GET)
    days = form.cleaned_data if form.is_valid() else {}
    period = statements.period(account, days.get("start"), days.get("end"), clock.now())
    wanted = request.GET.get("format")
    if wanted == "pdf":
        return _pdf(request, account, period)
    data = statements.statement(account, period)
    if wanted == "csv":
        return HttpResponse(
            statements.statement_csv(statements.in_local_time(account, data)),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": statements.attachment(account, period, "csv")},
        )
    asked = {"account": account.pk, "start": period.first, "end": period.last}
    context = {
        **data,
        "first": period.first,
        "last": period.last,
        "lines": words.with_words(data["lines"]),
        "form": form
        if not form.is_valid()
        else PeriodForm(initial={"start": period.first, "end": period.last}),
        "csv_url": f"?{urlencode({**asked, 'format': 'csv'})}",
        "pdf_url": f"?{urlencode({**asked, 'format': 'pdf'})}",
    }
    return render(request, "ledger/statement.html", context)


def _pdf(request: HttpRequest, account: Account, period: statements.Period) -> HttpResponse:
    """Answer with the statement on paper, or go back and say that it is too long."""
    try:
        data = statements.statement_to_print(account, period)
    except BadInput as error:
        messages.error(request, " ".join(error.data["errors"]["from"]))
        asked = {"account": account.pk, "start": period.first, "end": period.last}
        return redirect(f"{reverse('ledger:statement')}?{urlencode(asked)}")
    return HttpResponse(
        paper.statement_pdf(data),
        content_type="application/pdf",
        headers={"Content-Disposition": statements.attachment(account, period, "pdf")},
    )


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def give(request: HttpRequest) -> HttpResponse:
    """Give credits to a neighbour, named by phone number; asked twice, done once."""
    member = member_of(request)
    account = personal.own_account(member)
    form = GiveForm(request.POST or None, initial={"key": secrets.token_hex(16)})
    status, confirm = 200, None
    if request.method == "POST":
        status = 400
        neighbour = _neighbour(member, form) if form.is_valid() else None
        if neighbour is not None and request.POST.get("sure") != "yes":
            # Only here: a gift sent twice is answered by its key, whatever is left by then.
            if form.cleaned_data["amount"] > (account.available if account else 0):
                form.add_error("amount", str(services.InsufficientCredits.detail))
            else:
                status, confirm = 200, neighbour
        elif neighbour is not None:
            data = form.cleaned_data
            if page_write(request, lambda work: _give(work, member, neighbour, form)):
                messages.success(
                    request,
                    _("%(amount)s credits went to %(name)s.")
                    % {"amount": credits_text(data["amount"]), "name": neighbour.display_name},
                )
                return redirect("ledger:credits")
            status = 409
    context = {
        "form": form,
        "confirm": confirm,
        "amount": credits_text(form.cleaned_data["amount"]) if confirm else "",
        "account": queries.account_data(account) if account else None,
    }
    return render(request, "ledger/give.html", context, status=status)


def _give(work: UnitOfWork, member: Member, neighbour: Member, form: GiveForm) -> Posting:
    """Give what the form says; whoever went back and changed it is asked once more."""
    data = form.cleaned_data
    try:
        return services.give_to_neighbour(
            actor=member,
            neighbour=neighbour,
            amount=data["amount"],
            memo=data["memo"],
            key=data["key"],
            now=work.now,
        )
    except KeyReused as error:
        form.renew_key()
        raise DomainError(
            _("Your first gift was made already. To give once more, look at this and go on.")
        ) from error


def _neighbour(member: Member, form: GiveForm) -> Member | None:
    """Return who has this phone in the member's community; else say so on the form."""
    community = member.community
    found = None
    if community is not None:
        found = community.members.filter(
            phone=form.cleaned_data["phone"], erased_at=None, is_active=True
        ).first()
    if found is None:
        form.add_error("phone", _("Nobody in your community has this number."))
    elif found.pk == member.pk:
        form.add_error("phone", _("This is your own number."))
        return None
    return found
