"""Collect every sentence that people may read, in pure Python.

    python -m tests.catalogue

brings the .po up to date: new sentences come in untranslated, those no longer used go. GNU gettext
is not needed: Django turns a template into text that reads like Python, Babel finds the calls.
"""

import io
import os
import re
from pathlib import Path

import django
from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

from config import naming

ROOT = Path(__file__).resolve().parents[1]
LOCALE = ROOT / "locale"
PO = LOCALE / "zh_Hans" / "LC_MESSAGES" / "django.po"
FOLDERS = ("common", "config", "grids", "patrols", "realtime", "templates", "timebank")
KEYWORDS = {
    **DEFAULT_KEYWORDS,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext_lazy": (1, 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext_lazy": ((1, "c"), 2, 3),
}
# What a translation must hold as often as its source does: %(name)s, %d, {name}.
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd%]|\{\w*\}")


def collect() -> Catalog:
    """Read all sources into a fresh catalogue without translations; needs Django set up."""
    found = Catalog(locale="zh_Hans", project="Linli", charset="utf-8")
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix not in {".py", ".html", ".txt"} or "migrations" in path.parts:
                continue
            text = path.read_text()
            if path.suffix != ".py":
                # Indented text outside the tags would not read as Python.
                text = "\n".join(map(str.strip, templatize(text, origin=str(path)).splitlines()))
            place = str(path.relative_to(ROOT))
            source = io.BytesIO(text.encode())
            for line, message, comments, context in extract("python", source, KEYWORDS):
                found.add(message, None, [(place, line)], context=context, auto_comments=comments)
    for name in sorted(naming.names):
        found.add(name, None, [("models", 0)], context="name")
    return found


def load(path: Path = PO) -> Catalog:
    """Read the translations that are kept in the repository."""
    with path.open("rb") as file:
        return read_po(file, locale="zh_Hans")


def update(path: Path = PO) -> Catalog:
    """Bring the .po up to date with the sources: nothing is guessed, nothing old is kept."""
    kept = load(path)
    kept.update(collect(), no_fuzzy_matching=True, update_creation_date=False)
    kept.obsolete.clear()
    kept.fuzzy = False
    with path.open("wb") as file:
        write_po(file, kept, width=100, no_location=True, ignore_obsolete=True)
    return kept


def compile_stale() -> list[Path]:
    """Compile each .po that has no .mo as new as itself; safe beside other processes."""
    made = []
    for po in LOCALE.glob("*/LC_MESSAGES/*.po"):
        mo = po.with_suffix(".mo")
        if mo.exists() and mo.stat().st_mtime >= po.stat().st_mtime:
            continue
        compiled = io.BytesIO()
        write_mo(compiled, load(po))
        partial = mo.with_suffix(f".{id(compiled)}.tmp")
        partial.write_bytes(compiled.getvalue())
        partial.replace(mo)
        made.append(mo)
    return made


def untranslated(catalogue: Catalog) -> list[str]:
    """Return the sources that have no translation yet, or a guessed one."""
    return [
        str(each.id)
        for each in catalogue
        if each.id and (each.fuzzy or not each.string or not all(forms(each.string)))
    ]


def forms(text: str | tuple[str, ...] | list[str]) -> tuple[str, ...]:
    """Return a source's or a translation's forms: one, or one per plural."""
    return (text,) if isinstance(text, str) else tuple(text)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    missing = untranslated(update())
    print(f"{PO.relative_to(ROOT)}: {len(missing)} without a translation", *missing, sep="\n  ")
