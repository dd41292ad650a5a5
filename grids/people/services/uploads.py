"""Files that administrators send: kept with what the check found, written when they say so."""

from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import Any

from django.utils.translation import gettext_lazy as _

from common.errors import DomainError, NotAllowed, NotFound
from common.unit_of_work import current
from grids.people import rules
from grids.people.models import Member, Upload
from grids.places.models import Community


class UploadRefused(DomainError):
    """The file has errors, so none of it was imported."""

    code = "import_refused"
    detail = _("The file has errors; nothing was imported. Correct them and send it again.")


class UploadDone(DomainError):
    """The file was imported already."""

    code = "already_imported"
    status = HTTPStatus.CONFLICT
    detail = _("This file was imported already.")


def keep_upload(
    *,
    actor: Member,
    community: Community,
    kind: str,
    name: str,
    content: bytes,
    options: dict[str, Any],
    rows: int,
    counts: dict[str, int],
    findings: list[dict[str, Any]],
    now: datetime,
) -> Upload:
    """Keep a checked file until its sender imports it, for a day. Raises NotAllowed."""
    work = current()
    if not rules.administers(actor, community=community):
        raise NotAllowed
    upload = Upload.objects.create(
        actor=actor,
        community=community,
        kind=kind,
        name=name,
        options=options,
        content=content,
        rows=rows,
        counts=counts,
        findings=findings,
        good=not counts.get("error"),
        created_at=now,
    )
    work.audit("upload.checked", upload, after={"kind": kind, "rows": rows})
    return upload


def apply_upload(
    *,
    upload_id: int,
    actor: Member,
    good: bool,
    write: Callable[[Member, datetime], dict[str, int]],
    now: datetime,
) -> Upload:
    """Write a checked file, once and all or nothing; its content is then forgotten.

    `write` comes from the check that was just repeated. Raises NotFound, NotAllowed, UploadDone,
    UploadRefused, and what the import itself refuses.
    """
    work = current()
    upload = (
        Upload.objects.select_for_update(no_key=True, of=("self",))
        .select_related("community")
        .filter(pk=upload_id, actor=actor)
        .first()
    )
    if upload is None:
        raise NotFound
    if not rules.administers(actor, community=upload.community):
        raise NotAllowed
    if upload.done_at is not None:
        raise UploadDone
    if not good:
        raise UploadRefused
    upload.result = write(actor, now)
    upload.done_at, upload.content = now, b""
    upload.save(update_fields=["result", "done_at", "content"])
    work.audit("upload.imported", upload, after={"kind": upload.kind, **upload.result})
    return upload
