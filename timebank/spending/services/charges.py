"""Walk-in payments: a member shows a code that lives 30 seconds, the partner charges it."""

from datetime import datetime, timedelta

from django.utils.translation import gettext_lazy as _

from common.errors import BadInput, DomainError, NotAllowed, NotFound
from common.locks import lock
from common.unit_of_work import current
from grids.people.models import Member
from timebank.ledger.models import Account, Posting
from timebank.ledger.services import Move, ensure_account, post
from timebank.spending.codes import new_code, read_code
from timebank.spending.models import Charge, Partner, PayCode
from timebank.spending.rules import partners_of_staff
from timebank.spending.services.catalogue import partner_account

LIVES = timedelta(seconds=30)
FRESH = timedelta(seconds=15)
SOURCE = "spending.charge"


class PayCodeExpired(DomainError):
    """The pay code is older than 30 seconds or was used."""

    code = "pay_code_expired"
    detail = _("This code is used up or too old. Ask for the one on the screen now.")


class OtherCommunity(DomainError):
    """Payer and partner keep their credits in different books."""

    code = "other_community"
    detail = _("These credits belong to another community.")


def issue_pay_code(*, actor: Member, now: datetime) -> PayCode:
    """Return the member's pay code: the one shown while it is fresh, then a new one."""
    current()
    shown = (
        PayCode.objects.filter(member=actor, used_at=None, expires_at__gte=now + FRESH)
        .order_by("-expires_at")
        .first()
    )
    if shown is not None:
        return shown
    return PayCode.objects.create(
        member=actor, code=new_code(), created_at=now, expires_at=now + LIVES
    )


def charge(
    *,
    actor: Member,
    pay_code: str,
    amount: int,
    now: datetime,
    memo: str = "",
    partner_id: int | None = None,
) -> Charge:
    """Take `amount` hundredths from whoever shows the pay code; the code is used up by it.

    `partner_id` is needed only by staff of several partners. Raises NotAllowed, BadInput,
    NotFound (no such code), PayCodeExpired, OtherCommunity, InsufficientCredits.
    """
    partner = _counter_of(actor, partner_id)
    found = PayCode.objects.filter(code=read_code(pay_code) or None).first()
    if found is None:
        raise NotFound(_("Nobody has this pay code. Please read it again."))
    code = lock(PayCode.objects.all(), [found.pk]).get(found.pk)
    if code is None or code.used_at is not None or code.expires_at <= now:
        raise PayCodeExpired
    member = Member.objects.get(pk=code.member_id)
    if member.community_id != partner.community_id:
        raise OtherCommunity
    code.used_at = now
    code.save(update_fields=["used_at"])
    payer = ensure_account(
        community=partner.community, kind=Account.Kind.MEMBER, member=member, now=now
    )
    posting = post(
        actor=actor,
        key=f"charge:{code.pk}",
        reason=Posting.Reason.CHARGED,
        moves=[Move(payer.pk, partner_account(partner, now).pk, amount)],
        now=now,
        memo=memo,
        source=(SOURCE, code.pk),
    )
    made = Charge.objects.create(
        partner=partner,
        member=member,
        charged_by=actor,
        amount=amount,
        memo=memo,
        posting=posting,
        at=now,
    )
    current().audit("charge.made", made, after={"amount": amount}, on_behalf_of=member)
    return made


def _counter_of(actor: Member, partner_id: int | None) -> Partner:
    """Return the partner for whom the actor charges."""
    partners = partners_of_staff(actor).filter(active=True)
    if partner_id is not None:
        chosen = partners.filter(pk=partner_id).first()
        if chosen is None:
            raise NotFound
        return chosen
    two = list(partners[:2])
    if not two:
        raise NotAllowed
    if len(two) > 1:
        raise BadInput({"partner": [str(_("You serve at several places: say which."))]})
    return two[0]


def forget_old_codes(now: datetime) -> int:
    """Delete pay codes that expired a day ago; return how many."""
    current()
    return PayCode.objects.filter(expires_at__lt=now - timedelta(days=1)).delete()[0]
