"""What members say about themselves: name, language, text size, consent."""

from datetime import datetime
from http import HTTPStatus

from django.conf import settings
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from common.errors import BadInput, DomainError, NotFound
from common.locks import lock
from common.unit_of_work import current
from grids.people import registries
from grids.people.models import Consent, Member

LANGUAGES = frozenset(code for code, _name in settings.LANGUAGES)


class NotGiven(DomainError):
    """There is no open consent to withdraw."""

    code = "consent_not_given"
    status = HTTPStatus.CONFLICT
    detail = _("You have not agreed to this.")


def locked_member(member_id: int) -> Member:
    """Lock one member who is not erased; raise NotFound otherwise."""
    member = lock(Member.objects.filter(erased_at=None), [member_id]).get(member_id)
    if member is None:
        raise NotFound
    return member


def update_profile(
    *,
    actor: Member,
    now: datetime,
    display_name: str | None = None,
    language: str | None = None,
    large_text: bool | None = None,
) -> Member:
    """Change the actor's own profile; None leaves a field as it is. Raises BadInput."""
    work = current()
    member = locked_member(actor.pk)
    changed: dict[str, object] = {}
    if display_name is not None:
        changed["display_name"] = _clean_name(display_name)
    if language is not None:
        if language not in LANGUAGES:
            raise BadInput({"language": [gettext("Choose one of the languages on offer.")]})
        changed["language"] = language
    if large_text is not None:
        changed["large_text"] = large_text
    for field, value in changed.items():
        setattr(member, field, value)
    member.save(update_fields=list(changed))
    # Names of fields only: the audit trail outlives an erasure.
    work.audit("member.changed", member, after={"fields": sorted(changed)})
    return member


def set_language(*, actor: Member, language: str, now: datetime) -> Member:
    """Choose the language that pages and messages speak to the actor."""
    return update_profile(actor=actor, now=now, language=language)


def _clean_name(text: str) -> str:
    name = " ".join(text.split())
    if not name or len(name) > 80 or not name.isprintable():
        raise BadInput({"display_name": [gettext("Write a name of 1 to 80 characters.")]})
    return name


def give_consent(*, actor: Member, purpose: str, now: datetime) -> Consent:
    """Note that the actor agrees to a registered purpose in its present words."""
    work = current()
    asked = registries.purposes.get(purpose)
    if asked is None:
        raise NotFound
    member = locked_member(actor.pk)
    open_rows = Consent.objects.filter(member=member, purpose=purpose, withdrawn_at=None)
    same = open_rows.filter(text_version=asked.version).first()
    if same is not None:
        return same
    open_rows.update(withdrawn_at=now)
    consent = Consent.objects.create(
        member=member, purpose=purpose, text_version=asked.version, given_at=now
    )
    work.audit("consent.given", consent, after={"purpose": purpose, "version": asked.version})
    return consent


def withdraw_consent(*, actor: Member, purpose: str, now: datetime) -> Consent:
    """End the actor's consent from now on; raise NotGiven where there is none."""
    work = current()
    member = locked_member(actor.pk)
    consent = Consent.objects.filter(member=member, purpose=purpose, withdrawn_at=None).first()
    if consent is None:
        raise NotGiven
    consent.withdrawn_at = now
    consent.save(update_fields=["withdrawn_at"])
    work.audit("consent.withdrawn", consent, after={"purpose": purpose})
    return consent
