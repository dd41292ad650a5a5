"""Who may sell, book and pay for whom."""

from django.db.models import Q, QuerySet

from grids.people.models import Member, Role
from grids.people.rules import acts_for, has_role, holds_on, roles_of, today
from timebank.spending.models import Partner

Kind = Role.Kind


def partners_of_staff(actor: Member) -> QuerySet[Partner]:
    """Return the partners at whose counter `actor` may stand today."""
    wanted = Q(pk__in=[])
    for role in roles_of(actor):
        if role.kind != Kind.PARTNER_STAFF:
            continue
        if role.organisation_id is not None:
            wanted |= Q(organisation=role.organisation)
        elif role.community is not None:
            wanted |= Q(community__path__startswith=role.community.path)
    return Partner.objects.filter(wanted).select_related("organisation", "community")


def is_staff_of(actor: Member, partner: Partner) -> bool:
    """Say whether `actor` serves at this partner."""
    return has_role(actor, [Kind.PARTNER_STAFF], organisation=partner.organisation)


def may_keep_catalogue(actor: Member, partner: Partner) -> bool:
    """Say whether `actor` may change what this partner offers."""
    return is_staff_of(actor, partner) or has_role(
        actor, [Kind.ADMINISTRATOR, Kind.STOREKEEPER], community=partner.community
    )


def may_book_for(actor: Member, member: Member) -> bool:
    """Say whether `actor` may book for `member`: themselves, as proxy, or as their captain."""
    if acts_for(actor, member):
        return True
    cell = member.home.cell if member.home is not None else None
    if cell is not None:
        return has_role(actor, [Kind.CAPTAIN], cell=cell)
    return has_role(actor, [Kind.CAPTAIN], community=member.community)


def bookable_by(actor: Member) -> QuerySet[Member]:
    """Return the others for whom `may_book_for` lets `actor` book, as one query."""
    allowed = Q(proxies__in=actor.acts_for.filter(holds_on(today())))
    homeless = Q(home=None) | Q(home__cell=None)
    for role in roles_of(actor):
        if role.kind != Kind.CAPTAIN:
            continue
        if role.community is not None:
            path = role.community.path
            allowed |= Q(home__cell__community__path__startswith=path)
            allowed |= homeless & Q(community__path__startswith=path)
        elif role.cell_id is not None:
            allowed |= Q(home__cell=role.cell_id)
    found = Member.objects.filter(allowed, is_active=True, erased_at=None).exclude(pk=actor.pk)
    # By subquery: a person with two proxies would come twice.
    return Member.objects.filter(pk__in=found.values("pk"))


def may_watch(actor: Member, partner_id: int) -> bool:
    """Say whether `actor` may follow the partner's topic: its staff."""
    return partners_of_staff(actor).filter(pk=partner_id).exists()
