"""Who may book and pay for whom: a daughter for her mother."""

from datetime import date, datetime, timedelta
from http import HTTPStatus

from django.db.models import Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from common.errors import BadInput, DomainError, NotAllowed, NotFound
from common.locks import lock
from common.unit_of_work import current
from grids.people import rules
from grids.people.models import Member, Proxy


class ProxyHeld(DomainError):
    """This person acts for the member in these days already."""

    code = "proxy_already_held"
    status = HTTPStatus.CONFLICT
    detail = _("This person acts for the member already.")


def add_proxy(
    *,
    member: Member,
    proxy: Member,
    actor: Member | None,
    now: datetime,
    starts_on: date | None = None,
    ends_on: date | None = None,
) -> Proxy:
    """Let `proxy` book and pay for `member`.

    The member says so, or an administrator of their community on their word (an elder without a
    phone); never the proxy: that would be helping oneself. Raises NotAllowed, BadInput, ProxyHeld.
    """
    work = current()
    if member.pk == proxy.pk:
        raise BadInput({"proxy": [gettext("Name somebody else.")]})
    starts_on = starts_on or rules.today()
    if ends_on is not None and ends_on < starts_on:
        raise BadInput({"ends_on": [gettext("The last day is before the first.")]})
    own = actor is not None and actor.pk == member.pk
    helping_oneself = actor is not None and actor.pk == proxy.pk
    if not own and (helping_oneself or not rules.administers(actor, community=member.community)):
        raise NotAllowed
    locked = lock(Member.objects.filter(erased_at=None), [member.pk, proxy.pk])
    if len(locked) != 2:
        raise NotFound
    overlapping = Proxy.objects.filter(
        Q(ends_on__isnull=True) | Q(ends_on__gte=starts_on), member=member, proxy=proxy
    )
    if ends_on is not None:
        overlapping = overlapping.filter(starts_on__lte=ends_on)
    if overlapping.exists():
        raise ProxyHeld
    added = Proxy.objects.create(member=member, proxy=proxy, starts_on=starts_on, ends_on=ends_on)
    work.audit("proxy.added", added, after={"member": member.pk, "proxy": proxy.pk})
    return added


def end_proxy(*, proxy: Proxy, actor: Member | None, now: datetime) -> Proxy:
    """End it at once: by the member, by the proxy, or by an administrator.

    Raises NotFound for anybody else and where it has ended.
    """
    work = current()
    theirs = actor is not None and actor.pk in (proxy.member_id, proxy.proxy_id)
    if not theirs and not rules.administers(actor, community=proxy.member.community):
        raise NotFound
    lock(Member.objects.all(), [proxy.member_id, proxy.proxy_id])
    yesterday = rules.today() - timedelta(days=1)
    proxy.refresh_from_db(fields=["ends_on"])
    if proxy.ends_on is not None and proxy.ends_on <= yesterday:
        raise NotFound
    proxy.ends_on = yesterday
    proxy.save(update_fields=["ends_on"])
    work.audit("proxy.ended", proxy)
    return proxy
