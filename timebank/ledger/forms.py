"""What people fill in to give credits or choose a period."""

import secrets
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from phonenumber_field.formfields import PhoneNumberField

from common.money import parse_credits


class AmountField(forms.CharField):
    """Credits as typed: "1.5" → 150 hundredths."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault(
            "widget", forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})
        )
        super().__init__(max_length=16, **kwargs)

    def clean(self, value: Any) -> Any:
        text = super().clean(value).strip().replace("，", ".").replace(",", ".")
        try:
            amount = parse_credits(text)
        except ValueError:
            amount = 0
        if amount <= 0:
            raise forms.ValidationError(_("Write a number above 0, such as 1.50."))
        return amount


class GiveForm(forms.Form):
    """To whom, how much, and a word with it."""

    phone = PhoneNumberField(
        label=_("Phone number of your neighbour"),
        widget=forms.TextInput(attrs={"type": "tel", "inputmode": "tel", "autocomplete": "off"}),
    )
    amount = AmountField(label=_("How many credits"))
    memo = forms.CharField(label=_("A word with it"), max_length=200, required=False)
    key = forms.CharField(max_length=64, widget=forms.HiddenInput)

    def renew_key(self) -> None:
        """Let what is filled in be sent as an act of its own."""
        self.data = {**self.data.dict(), "key": secrets.token_hex(16)}  # type: ignore[attr-defined]


class PeriodForm(forms.Form):
    """First and last day of a statement."""

    # A date field of the browser takes only ISO dates, in every language.
    start = forms.DateField(
        label=_("From"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    end = forms.DateField(
        label=_("To"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )

    def clean(self) -> Any:
        data = super().clean() or {}
        for day in (data.get("start"), data.get("end")):
            if day and not 2000 <= day.year <= 2999:
                raise forms.ValidationError(_("Choose days between the years 2000 and 2999."))
        if data.get("start") and data.get("end") and data["start"] > data["end"]:
            raise forms.ValidationError(_("The last day is before the first."))
        return data
