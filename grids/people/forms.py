"""What people's pages ask for; rules stand in the services."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from grids.people.models import Member
from grids.people.phones import parse_phone


class PhoneForm(forms.Form):
    """Step one of signing in."""

    phone = forms.CharField(
        label=_("Your phone number"),
        max_length=40,
        widget=forms.TextInput(
            attrs={"type": "tel", "inputmode": "tel", "autocomplete": "tel", "autofocus": True}
        ),
    )

    def clean_phone(self) -> str:
        phone = parse_phone(self.cleaned_data["phone"])
        if phone is None:
            raise forms.ValidationError(
                _("This is no phone number. Please check the digits, such as 138 0000 0000.")
            )
        return phone


class CodeForm(forms.Form):
    """Step two: the six digits, also when they were copied with spaces."""

    code = forms.CharField(
        label=_("The six digits"),
        max_length=20,
        widget=forms.TextInput(
            attrs={
                "class": "code-input",
                "inputmode": "numeric",
                "autocomplete": "one-time-code",
                "autofocus": True,
            }
        ),
    )

    def clean_code(self) -> str:
        code = "".join(str(self.cleaned_data["code"]).split())
        if not (len(code) == 6 and code.isascii() and code.isdigit()):
            raise forms.ValidationError(_("The code has six digits. It is in the newest message."))
        return code


class ProfileForm(forms.ModelForm[Member]):
    """Name, language, text size."""

    class Meta:
        model = Member
        fields = ("display_name", "language", "large_text")
        labels = {
            "display_name": _("Your name, as others see it"),
            "language": _("Language"),
            "large_text": _("Large text"),
        }
        widgets = {"display_name": forms.TextInput(attrs={"autocomplete": "name"})}


class ErasureForm(forms.Form):
    """The last question before personal data goes."""

    sure = forms.BooleanField(label=_("Yes, delete my account for good"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["sure"].error_messages["required"] = _(
            "Tick the box if you are sure. Nothing was deleted."
        )
