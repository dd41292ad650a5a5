"""Erasing a person: the data goes, the books stay."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q
from django.utils import translation
from django.utils.translation import gettext

from common.errors import NotAllowed
from common.models import IdempotencyKey
from common.unit_of_work import current
from grids.people import registries, rules
from grids.people.limits import keyed_hash
from grids.people.models import (
    ApiToken,
    Consent,
    HolderClass,
    LoginCode,
    Member,
    MemberSkill,
    Proxy,
    Role,
)
from grids.people.services.groups import leave_all_groups
from grids.people.services.profile import locked_member
from realtime import registry


def erase_member(*, member: Member, actor: Member | None, now: datetime) -> Member:
    """Remove what identifies `member`; hours and credits stay, under a pseudonym.

    By themselves, or by an administrator of their community at their request. The apps above
    erase their part first, and may refuse with what must be settled. Raises NotAllowed, NotFound.
    """
    work = current()
    own = actor is not None and actor.pk == member.pk
    if not own and not rules.administers(actor, community=member.community):
        raise NotAllowed
    member = locked_member(member.pk)
    leave_all_groups(member=member, now=now)
    for erase in registries.erasers:
        erase(member, now)
    if member.phone:
        LoginCode.objects.filter(phone_digest=keyed_hash("phone", str(member.phone))).delete()
    ApiToken.objects.filter(member=member).delete()
    # Stored answers may quote the person.
    IdempotencyKey.objects.filter(scope=f"member:{member.pk}").delete()
    Consent.objects.filter(member=member).delete()
    MemberSkill.objects.filter(member=member).delete()
    yesterday = rules.today() - timedelta(days=1)
    still = Q(ends_on__isnull=True) | Q(ends_on__gt=yesterday)
    Role.objects.filter(still, member=member).update(ends_on=yesterday)
    Proxy.objects.filter(still & (Q(member=member) | Q(proxy=member))).update(ends_on=yesterday)
    with translation.override(settings.LANGUAGE_CODE):
        member.display_name = gettext("Former member %(number)d") % {"number": member.pk}
    member.phone = None
    member.home = member.household = member.born_on = None
    member.holder_class = HolderClass.RESIDENT
    member.large_text = member.is_active = member.is_staff = member.is_superuser = False
    member.last_login = None
    member.erased_at = now
    # Every session carries a hash of this field: a new value ends them all.
    member.set_unusable_password()
    member.save()
    rules.forget_roles(member)
    registry.recheck(member.pk)
    work.audit("member.erased", member)
    return member
