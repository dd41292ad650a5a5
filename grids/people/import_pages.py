"""Importing a file: send it, read what was found, then import it."""

from typing import Any

from django import forms
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from common.errors import NotAllowed, NotFound
from common.pages import page_write
from common.spreadsheets import csv_text
from grids.people import services, uploads
from grids.people.backends import member_of
from grids.people.models import Member, Upload
from grids.people.queries import administered_communities, uploads_visible_to
from grids.places.models import Community
from grids.places.wording import DATUM_NAMES, LEVEL_NAMES, table, todo, what

_LISTED = 20


class UploadForm(forms.Form):
    """Which file, of what, for which community, and how it is to be read."""

    kind = forms.ChoiceField(label=_("What the file holds"), choices=Upload.Kind.choices)
    community: Any = forms.ModelChoiceField(
        label=_("Community"), queryset=Community.objects.none(), empty_label=None
    )
    file = forms.FileField(
        label=_("File"),
        allow_empty_file=True,
        help_text=_("Maps as GeoJSON; members as XLSX or CSV with the columns name and phone."),
    )
    datum = forms.ChoiceField(
        label=_("Coordinates of the map"),
        choices=list(DATUM_NAMES.items()),
        required=False,
        help_text=_("Maps from Chinese map services are mostly GCJ-02, those from Baidu BD-09."),
    )
    swap = forms.BooleanField(label=_("Latitude is written first: swap axes"), required=False)
    duplicates = forms.ChoiceField(
        label=_("Members who are there already"),
        choices=[
            ("refuse", _("Show them and import nothing")),
            ("skip", _("Skip them")),
            ("update", _("Update them from the list")),
        ],
        required=False,
    )
    leave_unknown_homes = forms.BooleanField(
        label=_("Take in members whose address no building has"), required=False
    )

    def options(self) -> dict[str, Any]:
        """Return what matters for this kind of file."""
        data = self.cleaned_data
        if data["kind"] == Upload.Kind.MEMBERS:
            return {
                "duplicates": data["duplicates"] or "refuse",
                "leave_unknown_homes": data["leave_unknown_homes"],
            }
        return {"datum": data["datum"] or "wgs84", "swap": data["swap"]}


def check_and_keep(
    *, actor: Member, kind: str, community: Community, file: Any, options: dict[str, Any]
) -> dict[str, Any]:
    """Check a file and return the arguments of `keep_upload`; nothing is written yet."""
    content = file.read()
    with uploads.checked(kind=kind, community=community, content=content, options=options) as ready:
        return {
            "actor": actor,
            "kind": kind,
            "community": community,
            "name": (file.name or "")[-200:],
            "content": content,
            "options": options,
            "rows": ready.rows,
            "counts": {level.value: count for level, count in ready.findings.counts.items()},
            "findings": uploads.stored(ready.findings),
        }


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def import_list(request: HttpRequest) -> HttpResponse:
    """Send a file to be checked; the files of today."""
    member = member_of(request)
    places = administered_communities(member)
    if not places.exists():
        raise NotAllowed
    form = UploadForm(request.POST or None, request.FILES or None)
    form.fields["community"].queryset = places  # type: ignore[attr-defined]
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        kept = check_and_keep(
            actor=member,
            kind=data["kind"],
            community=data["community"],
            file=data["file"],
            options=form.options(),
        )
        upload = page_write(request, lambda work: services.keep_upload(**kept, now=work.now))
        if upload is not None:
            return redirect("people:import", upload.pk)
    found = uploads_visible_to(member).select_related("community").order_by("-pk")[:_LISTED]
    return render(request, "people/imports.html", {"form": form, "uploads": found})


@login_required
@require_safe
def import_page(request: HttpRequest, upload_id: int) -> HttpResponse:
    """What was found in one file, and the button that imports it."""
    upload = upload_of(member_of(request), upload_id)
    findings = uploads.findings_of(upload)
    rows = [
        {
            "place": one.row or "",
            "column": one.column,
            "level": one.level.value,
            "level_name": LEVEL_NAMES[one.level],
            "what": what(one),
            "todo": todo(one),
        }
        for one in findings[:200]
    ]
    context = {
        "upload": upload,
        "rows": rows,
        "more": sum(upload.counts.values()) - len(rows),
        "errors": upload.counts.get("error", 0),
    }
    return render(request, "people/import.html", context)


@login_required
@require_safe
def import_report(request: HttpRequest, upload_id: int) -> HttpResponse:
    """The same as a table for a spreadsheet."""
    upload = upload_of(member_of(request), upload_id)
    return report_response(upload)


def report_response(upload: Upload) -> HttpResponse:
    """Return what was found as a CSV file."""
    text = csv_text(table(uploads.findings_of(upload), name=upload.name))
    return HttpResponse(
        text,
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="import-{upload.pk}.csv"'},
    )


@login_required
@require_POST
def import_apply(request: HttpRequest, upload_id: int) -> HttpResponse:
    """Import a checked file; it is checked once more, since the map may have changed."""
    member = member_of(request)
    upload = upload_of(member, upload_id)
    with uploads.checked(
        kind=upload.kind,
        community=upload.community,
        content=bytes(upload.content),
        options=upload.options,
    ) as ready:
        page_write(
            request,
            lambda work: services.apply_upload(
                upload_id=upload.pk, actor=member, good=ready.good, write=ready.write, now=work.now
            ),
        )
    return redirect("people:import", upload.pk)


def upload_of(member: Member, upload_id: int) -> Upload:
    """Return one of the member's own files; raise NotFound otherwise."""
    upload = uploads_visible_to(member).select_related("community").filter(pk=upload_id).first()
    if upload is None:
        raise NotFound
    return upload
