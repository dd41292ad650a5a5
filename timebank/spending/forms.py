"""What people fill in to book."""

import secrets
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _


class BookForm(forms.Form):
    """Which serving, for whom, how many."""

    slot = forms.IntegerField(min_value=1, max_value=2**63 - 1, required=False)
    for_member = forms.IntegerField(min_value=1, max_value=2**63 - 1, required=False)
    quantity = forms.IntegerField(min_value=1, max_value=20, initial=1, label=_("How many"))
    key = forms.CharField(max_length=64, required=False, widget=forms.HiddenInput)

    def renew_key(self) -> None:
        """Let what is filled in be sent as an act of its own."""
        self.data = {**self.data.dict(), "key": secrets.token_hex(16)}  # type: ignore[attr-defined]

    def wanted(self) -> dict[str, Any]:
        """Return what `services.book` takes."""
        data = self.cleaned_data
        return {
            "slot_id": data["slot"],
            "for_member_id": data["for_member"],
            "quantity": data["quantity"],
        }
