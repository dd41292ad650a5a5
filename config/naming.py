"""Name every app, model and field in the reader's language: so the admin speaks it too.

Django reads the names off the code (`starts_on` → "starts on"). They are translated here, under
the context "name", rather than written beside each of two hundred fields. Migrations don't notice:
they look at what the code says, not at this.
"""

from typing import Any

from django.apps import apps
from django.utils.functional import Promise
from django.utils.translation import pgettext_lazy

_OTHERS = ("django.", "rest_framework", "channels", "csp", "lucide")
_PLURALS = {
    "availabilitys": "availabilities",
    "limitss": "limits",
    "proxys": "proxies",
    "seal leafs": "seal leaves",
}
# Every name that was met, for the catalogue.
names: set[str] = set()


def translate_names() -> None:
    """Make all names lazy translations; those that a package translates itself are left alone."""
    for config in apps.get_app_configs():
        if config.name.startswith(_OTHERS):
            continue
        models = list(config.get_models())
        if models:
            config.verbose_name = _lazy(config.verbose_name)
        for model in models:
            meta: Any = model._meta
            if not isinstance(meta.verbose_name, Promise):
                # The plural is made up on the fly from the singular as it was.
                meta.verbose_name_plural = _lazy(str(meta.verbose_name_plural))
            meta.verbose_name = _lazy(meta.verbose_name)
            for field in (*meta.local_fields, *meta.local_many_to_many):
                field.verbose_name = _lazy(field.verbose_name)


def _lazy(name: Any) -> Any:
    if not name or isinstance(name, Promise):
        return name
    name = _PLURALS.get(name, name)
    names.add(name)
    return pgettext_lazy("name", name)
