"""Both languages whole: every sentence is translated, and no page mixes two languages."""

import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.apps import apps
from django.conf import settings as site
from django.contrib import admin
from django.db import models
from django.test import Client
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from config import naming
from grids.people.models import Member
from patrols.rosters.solving import solve_now
from patrols.shifts.models import Shift
from tests import catalogue
from tests.checkins.factories import a_patrol
from tests.earning.factories import logged
from tests.factories import NOW, MemberFactory, ShiftFactory, Town, a_community
from tests.people.factories import ProxyFactory
from tests.rosters_app.factories import RosterRunFactory, a_week, evenings
from tests.spending.factories import a_market, book
from timebank.ledger import guards

CJK = re.compile(r"[\u3400-\u9fff\uff00-\uffef]")
# What stays as it is: a language names itself, and a refusal's code is for who helps.
THEIR_OWN = re.compile(r"^(English|简体中文)$|\b[a-z]+_[a-z_]+\b")
LATIN_WORD = re.compile(r"[A-Za-z]*[a-z]{2,}[A-Za-z]*")


# --- The catalogue -----------------------------------------------------------------------------
def test_every_sentence_has_a_translation() -> None:
    kept = {(each.context, each.id): each for each in catalogue.load() if each.id}
    found = {(each.context, each.id): each for each in catalogue.collect() if each.id}
    assert len(found) > 500
    how = "run `python -m tests.catalogue`, then translate what is empty in the .po"
    assert [key for key in found if key not in kept] == [], how
    assert [key for key in kept if key not in found] == [], how
    assert catalogue.untranslated(catalogue.load()) == [], how


def test_placeholders_are_the_same() -> None:
    for each in catalogue.load():
        if not each.id:
            continue
        # Chinese has one form: it must serve the plural of the source.
        wanted = Counter(catalogue.PLACEHOLDER.findall(catalogue.forms(each.id)[-1]))
        for text in catalogue.forms(each.string):
            assert Counter(catalogue.PLACEHOLDER.findall(text)) == wanted, each.id


def test_no_translation_can_break_out_of_an_attribute() -> None:
    for each in catalogue.load():
        if each.id:
            assert not re.search(r'["<>]', "".join(catalogue.forms(each.string))), each.id
            assert not re.search(r'["<>]', "".join(catalogue.forms(each.id))), each.id


def test_translations_are_chinese_and_use_its_punctuation() -> None:
    for each in catalogue.load():
        if not each.id or each.context == "date format":
            continue
        for source, text in zip(
            catalogue.forms(each.id), catalogue.forms(each.string), strict=False
        ):
            words = catalogue.PLACEHOLDER.sub("", text)
            assert CJK.search(words) or not LATIN_WORD.search(words), source
            assert not re.search(r"[\u4e00-\u9fff] ?[,;:!?.](?!\d)", text), source
            assert text == text.strip(), source
            ends = [part[-1:] in tuple(".。…") for part in (source, text)]
            assert ends[0] == ends[1], f"{source} / {text}"


def test_an_old_or_missing_mo_is_compiled_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "zh_Hans" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    (folder / "django.po").write_bytes(catalogue.PO.read_bytes())
    monkeypatch.setattr(catalogue, "LOCALE", tmp_path)
    assert catalogue.compile_stale() == [folder / "django.mo"]
    assert catalogue.compile_stale() == []
    assert {path.suffix for path in folder.iterdir()} == {".po", ".mo"}


def test_each_language_gives_its_own_words_though_chinese_is_the_default(settings: Any) -> None:
    settings.LANGUAGE_CODE = "zh-hans"
    assert {code for code, _name in site.LANGUAGES} == {"zh-hans", "en"}
    with translation.override("zh-hans"):
        assert _("Check in") == "签到"
        assert ngettext("%(n)s place open", "%(n)s places open", 2) == "还缺 %(n)s 人"
        assert _("This field is required.") != "This field is required."
    with translation.override("en"):
        assert _("Check in") == "Check in"
        assert ngettext("%(n)s place open", "%(n)s places open", 2) == "%(n)s places open"
        # Django's own, and the REST framework's
        assert _("This field is required.") == "This field is required."
        assert _("Not a valid string.") == "Not a valid string."


# --- The pages ---------------------------------------------------------------------------------
class Words(HTMLParser):
    """Collects what is read, seen or heard; parts in a language of their own are left out."""

    SAID = {"alt", "aria-label", "content", "placeholder", "title", "value"}
    EMPTY = {"area", "br", "hr", "img", "input", "link", "meta", "source", "wbr"}

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self.links: list[str] = []
        self.lang = ""
        self._open: list[tuple[str, bool]] = []

    def _hidden(self) -> bool:
        return any(hidden for _tag, hidden in self._open)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "html":
            self.lang = given["lang"]
        other = tag != "html" and "lang" in given
        if tag not in self.EMPTY:
            self._open.append((tag, tag in {"script", "style", "svg"} or other))
        if tag == "iframe" or (tag == "a" and "download" not in given):
            self.links.append(given.get("href") or given.get("src", ""))
        if other or self._hidden():
            return
        for name, value in given.items():
            speaks = name.startswith("data-say-") or name in self.SAID
            if tag == "meta" or (name == "value" and tag not in {"option", "input"}):
                speaks = False
            if name == "value" and (tag == "option" or given.get("type") != "submit"):
                speaks = False
            if tag == "td" and name == "data-label":
                speaks = True
            if given.get("id") in {"words", "connection"} and name.startswith("data-"):
                speaks = name != "data-state"
            if speaks:
                self.said.append(value)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if data.strip() and not self._hidden():
            self.said.append(data.strip())


def read(html: str) -> Words:
    words = Words()
    words.feed(html)
    return words


def in_latin_letters() -> None:
    """Rewrite all that people typed, so that any Chinese left on a page is the site's own."""
    with guards.lifted():
        for model in apps.get_models():
            for field in model._meta.concrete_fields:
                if not isinstance(field, (models.CharField, models.TextField)):
                    continue
                for pk, value in model._base_manager.values_list("pk", field.attname):
                    if value and CJK.search(str(value)):
                        model._base_manager.filter(pk=pk).update(
                            **{field.attname: f"{field.name} {pk}"}
                        )


@pytest.fixture
def everybody(db: None, settings: Any) -> list[Member]:
    """A town where something happened on every page; one person per role."""
    settings.LANGUAGE_CODE = "zh-hans"
    town: Town = a_community()
    for each in town.volunteers:
        evenings(each, most_shifts_a_week=3)
    a_patrol(town, meeting_name="文化路口")
    a_patrol(town, starts_at=NOW.replace(hour=12), required_skills=[])
    ShiftFactory(community=town.community, cell=town.cells[1], state="cancelled")
    a_week(town)
    logged(town, evidence={})
    logged(town, trusted=True)
    ProxyFactory(member=town.volunteers[0], proxy=town.volunteers[1])
    market = a_market(town)
    book(market)
    run = RosterRunFactory(community=town.community, seconds_allowed=1)
    solve_now(run.pk)
    return [town.volunteers[0], town.captain, town.reviewer, market.cook]


def crawl(member: Member | None) -> dict[str, Words]:
    """Open every page that can be reached by links; address without ids → what it says."""
    client = Client()
    if member:
        client.force_login(member, backend="grids.people.backends.MemberBackend")
    code = f"/shifts/{Shift.objects.earliest('pk').pk}/code/"
    waiting, seen = ["/", "/nowhere/", "/sign-in/", code], dict[str, Words]()
    while waiting:
        path = waiting.pop(0).partition("#")[0]
        kind = re.sub(r"(?<=[=/])(\d+|c\d+)(?=[/&]|$)", "N", path)
        if not path.startswith("/") or kind in seen or path.startswith(("/admin/", "/static/")):
            continue
        answer = client.get(path, follow=True)
        if "text/html" not in answer["Content-Type"]:
            continue
        assert answer.status_code in {200, 403, 404}, path
        seen[kind] = read(answer.content.decode())
        waiting += seen[kind].links
    return seen


@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_no_page_mixes_languages(everybody: list[Member], language: str) -> None:
    Member.objects.update(language=language)
    if language == "en":
        in_latin_letters()
    foreign = LATIN_WORD if language == "zh-hans" else CJK
    faults, opened = [], set[str]()
    with time_machine.travel(NOW, tick=False):
        for member in [None, *everybody]:
            if member:
                member.refresh_from_db()
            pages = crawl(member) if member or language == "zh-hans" else {}
            for path, words in pages.items():
                opened.add(path)
                assert words.lang == language, path
                for text in words.said:
                    own = THEIR_OWN.sub("", catalogue.PLACEHOLDER.sub("", text))
                    faults += [f"{path}: {text}"] if foreign.search(own) else []
    assert sorted(set(faults)) == []
    assert len(opened) > 25, sorted(opened)


def test_the_admin_names_things_in_the_readers_language(everybody: list[Member]) -> None:
    boss = MemberFactory(is_staff=True, is_superuser=True, language="zh-hans")
    client = Client()
    client.force_login(boss, backend="grids.people.backends.MemberBackend")
    ours = [m for m in admin.site._registry if not m.__module__.startswith("django")]
    assert len(ours) > 25
    english = {str(name).lower() for name in naming.names}
    for model in ours:
        path = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        said = {text.lower() for text in read(client.get(path).content.decode()).said}
        assert said & english == set(), path
        with translation.override("zh-hans"):
            assert CJK.search(str(model._meta.verbose_name_plural)), model
