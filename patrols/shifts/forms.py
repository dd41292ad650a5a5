"""What a captain fills in to set up an activity; rules stand in the service."""

import secrets
from datetime import date
from typing import Any

from django import forms
from django.utils.dates import WEEKDAYS as DAY_NAMES
from django.utils.translation import gettext_lazy as _

from grids.people.models import Member, Skill
from patrols.shifts import recurrence
from patrols.shifts.models import Activity, Kind
from patrols.shifts.queries import places_kept_by
from patrols.shifts.services.duties import MOST_SEATS, DutyFields
from timebank.earning.models import Category

_YEARS = (date(2000, 1, 1), date(2199, 12, 31))


class _Number(forms.NumberInput):
    """A number typed on a phone's number pad."""

    def __init__(self) -> None:
        super().__init__(attrs={"inputmode": "numeric"})


def _date_field(**options: Any) -> forms.DateField:
    widget = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
    return forms.DateField(widget=widget, **options)


class ActivityForm(forms.Form):
    """One activity: what, where, when, how many."""

    title = forms.CharField(label=_("Name"), max_length=120)
    kind = forms.ChoiceField(label=_("What sort"), choices=Kind.choices)
    place = forms.ChoiceField(label=_("Where"))
    meeting_name = forms.CharField(label=_("Meeting point"), max_length=120, required=False)
    starts_local = forms.TimeField(
        label=_("Starts at"), widget=forms.TimeInput(format="%H:%M", attrs={"type": "time"})
    )
    duration_minutes = forms.IntegerField(
        label=_("Lasts, in minutes"), min_value=1, max_value=24 * 60, initial=90, widget=_Number()
    )
    weekdays = forms.MultipleChoiceField(
        label=_("On which days"),
        choices=list(zip(recurrence.WEEKDAYS, DAY_NAMES.values(), strict=True)),
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )
    rrule = forms.CharField(
        label=_("Another rhythm, as an RRULE"),
        help_text=_(
            "Such as FREQ=MONTHLY;BYMONTHDAY=10 for the 10th of each month. It counts instead of "
            "the days above."
        ),
        max_length=300,
        required=False,
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"}
        ),
    )
    starts_on = _date_field(label=_("First day"))
    ends_on = _date_field(
        label=_("Last day"), help_text=_("For a single day: the same as the first."), required=False
    )
    seats = forms.IntegerField(
        label=_("Places"), min_value=1, max_value=MOST_SEATS, initial=3, widget=_Number()
    )
    required_skills = forms.MultipleChoiceField(
        label=_("Needed skills"), widget=forms.CheckboxSelectMultiple, required=False
    )
    wants_experienced = forms.BooleanField(
        label=_("One of them should be experienced"), required=False
    )
    category = forms.ChoiceField(
        label=_("Counts as"),
        help_text=_("By this the earning table says what an hour is worth."),
        choices=[("", _("The same as the sort")), *Category.choices],
        required=False,
    )
    meeting_lat = forms.FloatField(
        label=_("Latitude of the meeting point"), min_value=-90, max_value=90, required=False
    )
    meeting_lon = forms.FloatField(
        label=_("Longitude of the meeting point"), min_value=-180, max_value=180, required=False
    )
    early_minutes = forms.IntegerField(
        label=_("Check-in opens so many minutes before"),
        min_value=0, max_value=240, initial=30, widget=_Number(),
    )  # fmt: skip
    late_minutes = forms.IntegerField(
        label=_("On time until so many minutes after the start"),
        min_value=0, max_value=240, initial=15, widget=_Number(),
    )  # fmt: skip
    active = forms.BooleanField(
        label=_("It takes place"),
        help_text=_(
            "Without the tick no new shifts are made, and those nobody holds are called off."
        ),
        required=False,
    )

    # A resent form sets up nothing twice.
    key = forms.CharField(max_length=64, required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, member: Member, activity: Activity | None = None) -> None:
        """Offer the places of `member`; with `activity` its place stays."""
        super().__init__(*args)
        if activity is not None:
            self.initial = _said(activity)
        skills: Any = self.fields["required_skills"]
        skills.choices = list(Skill.objects.order_by("name").values_list("code", "name"))
        if not skills.choices:
            del self.fields["required_skills"]
        if activity is not None:
            del self.fields["place"], self.fields["key"]
            return
        del self.fields["active"]
        place: Any = self.fields["place"]
        place.choices = _places(member)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        first, last = data.get("starts_on"), data.get("ends_on")
        for name, day in (("starts_on", first), ("ends_on", last)):
            if day is not None and not _YEARS[0] <= day <= _YEARS[1]:
                self.add_error(name, _("This year can't be meant."))
        if data.get("rrule") or "rrule" in self.errors:
            return data
        days = data.get("weekdays") or (recurrence.WEEKDAYS if first and first == last else ())
        if not days:
            self.add_error("weekdays", _("Tick at least one day."))
        data["rrule"] = recurrence.rule_of(days)
        return data

    def renew_key(self) -> None:
        """Let what is filled in be sent as an act of its own."""
        data: Any = self.data
        self.data = data.copy()
        self.data["key"] = secrets.token_hex(16)  # type: ignore[index]

    def when(self) -> dict[str, Any]:
        """Return the times as the services take them."""
        names = ("rrule", "starts_on", "ends_on", "starts_local", "duration_minutes")
        return {name: self.cleaned_data[name] for name in names}

    def duty(self) -> DutyFields:
        """Return what it is, as the services take it."""
        data = self.cleaned_data
        said = {name: data[name] for name in DutyFields.__dataclass_fields__ if name in data}
        return DutyFields(**{**said, "required_skills": tuple(data.get("required_skills", ()))})

    def place_ids(self) -> dict[str, Any]:
        """Return community and cell as the service takes them."""
        community, _dash, cell = self.cleaned_data["place"].partition("-")
        return {"community_id": int(community), "cell_id": int(cell) if cell else None}


def _places(member: Member) -> list[tuple[str, Any]]:
    """Return communities as groups, with their cells, for a select."""
    return [
        (
            str(community),
            [(str(community.pk), _("Whole community"))] * whole
            + [(f"{community.pk}-{cell.pk}", str(cell)) for cell in cells],
        )
        for community, cells, whole in places_kept_by(member)
        if cells or whole
    ]


def _said(activity: Activity) -> dict[str, Any]:
    """Return an activity as the form shows it."""
    weekdays = recurrence.weekdays_of(activity.rrule)
    names = (
        "title", "kind", "meeting_name", "starts_local", "duration_minutes", "starts_on", "ends_on",
        "required_skills", "wants_experienced", "meeting_lat", "meeting_lon",
        "early_minutes", "late_minutes", "active",
    )  # fmt: skip
    return {
        **{name: getattr(activity, name) for name in names},
        "seats": activity.seats_total,
        # Left open it follows the kind, also when that is changed.
        "category": "" if activity.category == activity.kind else activity.category,
        "weekdays": weekdays or [],
        "rrule": "" if weekdays else activity.rrule,
    }
