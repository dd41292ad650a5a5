"""What an error page is headed with."""

from django.utils.translation import gettext as _


def title_of(status: int) -> str:
    """Return a short heading in plain words for an HTTP status."""
    titles = {
        400: _("This can't be understood"),
        403: _("This is not for you to do"),
        404: _("This page is not here"),
        405: _("This can't be opened by itself"),
        409: _("This can't be done now"),
        429: _("Please wait a little"),
        503: _("Please try again"),
    }
    return titles.get(status) or _("Something went wrong")
