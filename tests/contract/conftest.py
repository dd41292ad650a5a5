"""One demo town and one server for all contract tests."""

import itertools
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg import sql

from tests.contract.site import Person, Site
from tests.servers import at_database

PURSES = slice(10, 14)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of it is slow: the demo alone takes about a minute."""
    for item in items:
        if "tests/contract" in item.path.as_posix():
            item.add_marker(pytest.mark.slow)


@contextmanager
def _database() -> Iterator[str]:
    """Name a fresh database: of PostgreSQL where the environment says so, else a SQLite file."""
    url = os.environ.get("DATABASE_URL", "")
    if not url.startswith("postgres"):
        yield ""
        return
    name = f"linli_contract_{secrets.token_hex(4)}"
    server = at_database(url, "postgres")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        yield at_database(url, name)
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(
                sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
            )


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The demo town, served."""
    folder = tmp_path_factory.mktemp("contract")
    with _database() as url:
        redis = os.environ.get("REDIS_URL", "") if url else ""
        site = Site(folder, database_url=url, redis_url=redis)
        kept = os.environ.get("LINLI_CONTRACT_KEPT", "")
        if kept and not url:
            # While one writes tests: a copy of a demo that was built before.
            shutil.copytree(kept, folder, dirs_exist_ok=True)
        else:
            site.manage("migrate", "-v", "0")
            site.manage("demo", "--json", folder / "demo.json")
        _prepare(site)
        site.start()
        try:
            yield site
            said = site.manage("verify_ledger", check=False)
            assert said.returncode == 0, said.stdout + said.stderr
            assert "Internal Server Error" not in site.said()
        finally:
            site.stop()


def _prepare(site: Site) -> None:
    """Make what the API has no call for: a skill that nobody has, and four full purses."""
    demo = json.loads((site.folder / "demo.json").read_text(encoding="utf-8"))
    people = [entry["id"] for entry in demo["volunteers"][PURSES]]
    site.python(f"""
from common.unit_of_work import unit_of_work
from grids.people.models import Member, Skill
from timebank.ledger.models import Account, Posting
from timebank.ledger.services import Move, ensure_account, post
Skill.objects.create(code="deep-sea-diving", name="Diving")
for member in Member.objects.filter(pk__in={people}):
    with unit_of_work() as work:
        where = {{"community": member.community, "now": work.now}}
        issue = ensure_account(kind=Account.Kind.ISSUE, **where)
        own = ensure_account(kind=Account.Kind.MEMBER, member=member, **where)
        moves = [Move(issue.pk, own.pk, 10_000)]
        post(actor=None, key=f"contract:{{member.pk}}", reason=Posting.Reason.EARNED,
             moves=moves, now=work.now)
""")


@pytest.fixture(scope="session")
def demo(site: Site) -> dict[str, Any]:
    """What `manage.py demo --json` wrote."""
    found: dict[str, Any] = json.loads((site.folder / "demo.json").read_text(encoding="utf-8"))
    return found


def _person(role: str) -> Any:
    @pytest.fixture(scope="session", name=role)
    def person(site: Site, demo: dict[str, Any]) -> Person:
        return Person(site, demo[role])

    return person


captain = _person("captain")
reviewer = _person("reviewer")
bookkeeper = _person("bookkeeper")
dispatcher = _person("dispatcher")
auditor = _person("auditor")
elder = _person("elder")
kitchen = _person("kitchen")
merchant = _person("merchant")


@pytest.fixture(scope="session")
def volunteers(site: Site, demo: dict[str, Any]) -> list[Person]:
    return [Person(site, entry) for entry in demo["volunteers"]]


@pytest.fixture(scope="session")
def rich(volunteers: list[Person]) -> list[Person]:
    """Volunteers with credits, those with most first."""
    # Whoever another file's test erased before is no longer there.
    there = [person for person in volunteers if person.call("GET", "me").status_code == 200]
    found = [person for person in there if float(person.account()["available"]) > 0]
    assert len(found) >= 3, "the demo promises volunteers with credits"
    return found


class Shifts:
    """Shifts for one test each, made by the captain; none overlaps or tires another."""

    def __init__(self, captain: Person, demo: dict[str, Any], volunteers: list[Person]) -> None:
        self.captain, self.demo = captain, demo
        self._days = itertools.count(40)
        self._free_now = list(reversed(volunteers))

    def make(self, starts_at: datetime, minutes: int = 90, **more: Any) -> dict[str, Any]:
        """Make one shift in a cell of the demo."""
        body = {
            "title": "夜间巡逻",
            "kind": "patrol",
            "community": self.demo["community"],
            "cell": self.demo["cells"][0],
            "starts_at": starts_at.isoformat(),
            "ends_at": (starts_at + timedelta(minutes=minutes)).isoformat(),
            "seats": 3,
            **more,
        }
        answer = self.captain.post("shifts", body)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def later(self, **more: Any) -> dict[str, Any]:
        """Make a shift on a far day of its own, when everybody is free."""
        day = datetime.now(UTC).replace(hour=2, minute=0, second=0, microsecond=0)
        return self.make(day + timedelta(days=next(self._days)), **more)

    def seated_now(
        self, *, started_ago: float = 5, minutes: int = 90, **more: Any
    ) -> tuple[Person, dict[str, Any], int]:
        """Make a shift that runs now and seat somebody; return (person, shift, seat id)."""
        starts_at = datetime.now(UTC) - timedelta(minutes=started_ago)
        shift = self.make(starts_at, minutes, **{"seats": 1, **more})
        while self._free_now:
            person = self._free_now.pop()
            answer = self.captain.post(f"shifts/{shift['id']}/assign", {"member": person.id})
            if answer.status_code == 200:
                return person, shift, shift["seats"][0]["id"]
            assert answer.json()["code"] in {"overlapping_shift", "rest_too_short"}, answer.text
        raise AssertionError("everybody has a shift now")


@pytest.fixture(scope="session")
def shifts(captain: Person, demo: dict[str, Any], volunteers: list[Person]) -> Shifts:
    return Shifts(captain, demo, volunteers)


@pytest.fixture(scope="session")
def inside(captain: Person, demo: dict[str, Any]) -> dict[str, float]:
    """A point well inside the first cell: {"lat", "lon"}."""
    from shapely.geometry import shape

    cells = captain.get("cells", community=demo["community"])["features"]
    found = next(cell for cell in cells if cell["id"] == demo["cells"][0])
    point = shape(found["geometry"]).representative_point()
    return {"lat": point.y, "lon": point.x}


@pytest.fixture(scope="session")
def purse(volunteers: list[Person]) -> list[Person]:
    """Four volunteers with more than 100 credits each."""
    return volunteers[PURSES]


@pytest.fixture(scope="session")
def lunch(captain: Person, demo: dict[str, Any]) -> dict[str, Any]:
    """The demo's offer that has servings."""
    offers = captain.get("offers")["results"]
    assert {offer["id"] for offer in offers} >= set(demo["offers"])
    found: dict[str, Any] = next(
        offer for offer in offers if offer["id"] in demo["offers"] and offer["slots"]
    )
    return found


@pytest.fixture(scope="session")
def board(demo: dict[str, Any]) -> str:
    """The topic of the captain's community."""
    return f"community:{demo['community']}"
