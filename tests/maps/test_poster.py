"""The poster: for those who lead the cell; every building numbered; a code that leads home."""

import re

import pytest
from django.test import Client
from shapely import LineString, box, to_wkb

from grids.maps import poster
from grids.places.models import Building, Street
from tests.factories import BuildingFactory, MemberFactory, Town, a_community, grant


@pytest.fixture
def street(town: Town) -> Street:
    line = LineString([(122.405, 37.156), (122.425, 37.156)])
    return Street.objects.create(
        community=town.community, source_id="s", name="<文化>路", geometry=to_wkb(line)
    )


def address(town: Town, end: str = "/", cell: int = 0) -> str:
    return f"/map/{town.community.code}/cells/{town.cells[cell].code}/poster{end}"


def test_the_captain_prints_what_neighbours_need(
    client: Client, town: Town, street: Street
) -> None:
    town.community.office_phone = "+8663112345678"
    town.community.save()
    Building.objects.filter(pk=town.buildings[0].pk).update(address="文化路10号")
    BuildingFactory(
        community=town.community, cell=town.cells[0], address="文化路2号", lat=37.154, lon=122.413
    )
    client.force_login(town.captain)
    html = client.get(address(town)).content.decode()
    for said in (town.captain.display_name, "+8663112345678", "&lt;文化&gt;路", town.cells[0].code):
        assert said in html
    # As people count: 2 before 10.
    assert re.findall(r">([12]  文化路\d+号)<", html) == ["1  文化路2号", "2  文化路10号"]
    answer = client.get(address(town, ".pdf"))
    assert answer["Content-Type"] == "application/pdf"
    assert answer.content.startswith(b"%PDF-")
    assert b"MediaBox [ 0 0 842 1191 ]" in answer.content


def test_nobody_else_gets_it(client: Client, town: Town) -> None:
    stranger = a_community().captain
    of_another_cell = MemberFactory(community=town.community)
    grant(of_another_cell, "captain", cell=town.cells[1])
    for end in ("/", ".pdf"):
        assert client.get(address(town, end)).status_code == 302
        for who, status in ((town.volunteers[0], 403), (of_another_cell, 403), (stranger, 404)):
            client.force_login(who)
            assert client.get(address(town, end)).status_code == status
        client.logout()
    client.force_login(of_another_cell)
    assert client.get(address(town, cell=1)).status_code == 200
    assert client.get(f"/map/{town.community.code}/cells/%00/poster/").status_code == 404


def test_a_long_list_goes_on_on_the_next_page_and_loses_nobody() -> None:
    buildings = [
        Building(pk=n, address=f"{n}号", lat=37.155, lon=122.415,
                 geometry=to_wkb(box(122.415, 37.155, 122.4151, 37.1551)))
        for n in range(1, 400)
    ]  # fmt: skip
    facts = poster.Facts(
        cell="G", community="c", captain="", phone="", address="http://x/join/y/",
        border=box(122.41, 37.15, 122.42, 37.16), inside=buildings,
    )  # fmt: skip
    sheets = poster.pages(facts)
    assert len(sheets) == 2
    words = {piece.words for page in sheets for piece in page if isinstance(piece, poster.Text)}
    assert {f"{n}  {n}号" for n in range(1, 400)} <= words
    for page in sheets:
        assert all(
            0 <= piece.x <= poster.WIDTH and 0 <= piece.y <= poster.HEIGHT
            for piece in page
            if isinstance(piece, poster.Text)
        )
