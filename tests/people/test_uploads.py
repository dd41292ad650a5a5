"""Imports on a page and over the API: checked first, written once, seen by their sender only."""

import csv
import io
import json
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from rest_framework.test import APIClient

from grids.people.cleanup import forget_old_sign_ins
from grids.people.models import Member, Upload
from grids.places.models import Building, Community
from tests.factories import NOW, BuildingFactory, CommunityFactory, MemberFactory, grant

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]
SQUARE = [[[9.5, 47.1], [9.501, 47.1], [9.501, 47.101], [9.5, 47.101], [9.5, 47.1]]]


def buildings(*ids: Any, **properties: Any) -> bytes:
    features = [
        {
            "type": "Feature", "id": one, "properties": {"dwellings": 3, **properties},
            "geometry": {"type": "Polygon", "coordinates": SQUARE},
        }
        for one in ids
    ]  # fmt: skip
    return json.dumps({"type": "FeatureCollection", "features": features}).encode()


def sent(content: bytes | str, name: str = "f.geojson") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content.encode() if isinstance(content, str) else content)


@pytest.fixture
def community() -> Community:
    return CommunityFactory(parent=CommunityFactory())


@pytest.fixture
def office(community: Community) -> Member:
    member = MemberFactory(community=community, language="en")
    grant(member, "administrator", community=community)
    return member


@pytest.fixture
def browser(client: Client, office: Member) -> Client:
    client.force_login(office)
    return client


def test_a_page_checks_first_and_imports_then(browser: Client, community: Community) -> None:
    assert "Check the file" in browser.get("/imports/").content.decode()
    data = {"kind": "buildings", "community": community.pk, "datum": "wgs84"}
    answer = browser.post("/imports/", {**data, "file": sent(buildings(1))}, follow=True)
    page = answer.content.decode()
    assert "The file can be imported: 1 entries." in page
    assert not Building.objects.exists()
    upload = Upload.objects.get()
    for _ in range(2):
        page = browser.post(f"/imports/{upload.pk}/apply/", follow=True).content.decode()
        assert "Imported: 1 added, 0 changed, 0 skipped." in page
    assert "This file was imported already." in page
    assert Building.objects.count() == 1
    upload.refresh_from_db()
    assert bytes(upload.content) == b""


def test_a_page_shows_what_is_wrong_and_gives_it_as_a_table(
    browser: Client, community: Community
) -> None:
    data = {"kind": "members", "community": community.pk, "duplicates": "refuse"}
    text = 'name,phone\n王,12\n"<b>=x",13911112222\n,"=1+1"\n'
    page = browser.post("/imports/", {**data, "file": sent(text, "m.csv")}, follow=True)
    assert "The file has 3 errors" in page.content.decode()
    upload = Upload.objects.get()
    report = browser.get(f"/imports/{upload.pk}/report.csv")
    rows = list(csv.reader(io.StringIO(report.content.decode("utf-8-sig"))))
    assert [row[1:4] for row in rows[1:]] == [
        ["2", "phone", "Error"], ["4", "name", "Error"], ["4", "phone", "Error"],
    ]  # fmt: skip
    page = browser.post(f"/imports/{upload.pk}/apply/", follow=True)
    assert "nothing was imported" in page.content.decode()
    assert Member.objects.count() == 1


def test_nobody_else_imports_or_looks(browser: Client, community: Community) -> None:
    data = {"kind": "buildings", "community": community.pk, "file": sent(buildings(1))}
    browser.post("/imports/", data)
    upload = Upload.objects.get()
    other = MemberFactory()
    grant(other, "administrator", community=community)
    captain = MemberFactory()
    grant(captain, "captain", community=community)
    stranger = Client()
    stranger.force_login(other)
    for path in ("", "report.csv"):
        assert stranger.get(f"/imports/{upload.pk}/{path}").status_code == 404
    assert stranger.post(f"/imports/{upload.pk}/apply/").status_code == 404
    stranger.force_login(captain)
    assert stranger.get("/imports/").status_code == 403
    elsewhere = CommunityFactory()
    data = {"kind": "buildings", "community": elsewhere.pk, "file": sent(buildings(1))}
    assert "Select a valid choice" in browser.post("/imports/", data).content.decode()
    assert Upload.objects.count() == 1


def test_a_role_withdrawn_in_between_stops_it(
    browser: Client, office: Member, community: Community
) -> None:
    data = {"kind": "buildings", "community": community.pk, "file": sent(buildings(1))}
    browser.post("/imports/", data)
    office.roles.all().delete()
    browser.post(f"/imports/{Upload.objects.get().pk}/apply/")
    assert not Building.objects.exists()


def test_the_api_does_the_same(api: APIClient, office: Member, community: Community) -> None:
    api.force_authenticate(office)
    body = {"kind": "buildings", "community": community.pk}
    for _ in range(2):
        made = api.post(
            "/api/v1/imports", {**body, "file": sent(buildings(1, 2))}, format="multipart",
            headers={"Idempotency-Key": "k1"},
        )  # fmt: skip
        assert made.status_code == 201
    assert Upload.objects.count() == 1
    first = made.json()
    assert (first["state"], first["rows"], first["counts"]) == ("ready", 2, {"duplicate": 1})
    assert first["findings"][0]["code"] == "same_outline"
    path = f"/api/v1/imports/{first['id']}"
    done = api.post(f"{path}/apply")
    assert (done.status_code, done.json()["result"]) == (200, {"added": 2, "changed": 0})
    again = api.post(f"{path}/apply")
    assert (again.status_code, again.json()["code"]) == (409, "already_imported")
    assert api.get(path).json()["state"] == "imported"
    bad = api.post("/api/v1/imports", {**body, "file": sent(b"{")}, format="multipart").json()
    assert (bad["state"], bad["findings"][0]["code"]) == ("refused", "cut_off")
    refused = api.post(f"/api/v1/imports/{bad['id']}/apply")
    assert (refused.status_code, refused.json()["code"]) == (409, "import_refused")
    assert api.get(f"/api/v1/imports/{bad['id']}/report")["Content-Type"].startswith("text/csv")
    body["community"] = CommunityFactory().pk
    none = api.post("/api/v1/imports", {**body, "file": sent(buildings(1))}, format="multipart")
    assert none.status_code == 400
    api.force_authenticate(MemberFactory())
    assert api.get(path).status_code == 404


def test_members_over_the_api(api: APIClient, office: Member, community: Community) -> None:
    api.force_authenticate(office)
    body = {"kind": "members", "community": community.pk, "duplicates": "skip"}
    text = f"姓名,电话\n王,13911112222\n李,{office.phone}\n"
    made = api.post("/api/v1/imports", {**body, "file": sent(text, "m.csv")}, format="multipart")
    upload = made.json()
    assert (upload["state"], upload["rows"], upload["counts"]) == ("ready", 1, {"duplicate": 1})
    done = api.post(f"/api/v1/imports/{upload['id']}/apply").json()
    assert done["result"] == {"added": 1, "changed": 0, "skipped": 1}


def test_files_are_gone_after_a_day(browser: Client, community: Community) -> None:
    data = {"kind": "buildings", "community": community.pk, "file": sent(buildings(1))}
    browser.post("/imports/", data)
    forget_old_sign_ins(NOW + timedelta(hours=23))
    assert Upload.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_really_gone(browser: Client, community: Community) -> None:
    data = {"kind": "buildings", "community": community.pk, "file": sent(buildings(1))}
    browser.post("/imports/", data)
    forget_old_sign_ins(NOW + timedelta(hours=25))
    assert not Upload.objects.exists()


def test_staff_find_addresses(api: APIClient, office: Member, community: Community) -> None:
    here = BuildingFactory(community=community, address="幸福小区3号楼")
    BuildingFactory(community=CommunityFactory(), address="幸福小区3号楼")
    api.force_authenticate(office)
    (found,) = api.get("/api/v1/geocode", {"q": "幸福小区３栋"}).json()["results"]
    assert (found["building"], found["lat"], found["source"]) == (here.pk, here.lat, "buildings")
    assert api.get("/api/v1/geocode", {"q": "没有"}).json() == {"results": []}
    assert api.get("/api/v1/geocode").status_code == 400
    api.force_authenticate(MemberFactory())
    assert api.get("/api/v1/geocode", {"q": "x"}).status_code == 403
