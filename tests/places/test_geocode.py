"""Addresses: own buildings first, in any spelling; a geocoder only if set, and never fatal."""

from types import SimpleNamespace
from typing import Any

import pytest
from django.core.cache import cache
from geopy.exc import GeocoderTimedOut

from grids.places import geocode
from grids.places.addresses import AddressIndex, normal
from grids.places.datum import from_wgs84
from grids.places.models import Community, GeocodeAnswer
from tests.factories import BuildingFactory, CommunityFactory


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("幸福小区3号楼", "幸福小区3幢"),
        ("幸福小区３号楼", "幸福小区3栋"),
        ("幸福小区三号楼", "幸福小区 3 座"),
        ("幸福小区第十二幢", "幸福小区12#楼"),
        ("文化路二十号", "文化路20号"),
        ("文化路一百零五号", "文化路105号"),
        ("MAIN  St 1", "main st 1"),
        ("A座", "a栋"),
    ],
)
def test_spellings_that_mean_the_same(one: str, other: str) -> None:
    assert normal(one) == normal(other)


def test_those_that_do_not() -> None:
    assert normal("文化路3号") != normal("文化路30号")
    assert normal("3号楼") != normal("4号楼")


@pytest.fixture
def community(db: None) -> Community:
    community = CommunityFactory(name="河东社区")
    BuildingFactory(community=community, address="幸福小区3号楼", lat=37.16, lon=122.42)
    BuildingFactory(community=community, address="文化路3号", name="社区服务中心", lat=37.17)
    return community


@pytest.mark.parametrize(
    "address",
    ["幸福小区3幢2单元501", "山东省荣成市崖头街道河东社区幸福小区３栋501室", "幸福小区三号楼"],
)
def test_the_building_is_found(community: Community, address: str) -> None:
    found = AddressIndex(community).find(address)
    assert found is not None
    assert found.address == "幸福小区3号楼"


def test_another_number_is_not(community: Community) -> None:
    assert AddressIndex(community).find("幸福小区33幢") is None
    assert AddressIndex(community).find("文化路30号") is None


class FakeGeocoder:
    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answer: Any = None

    def __call__(self, query: str) -> Any:
        self.asked.append(query)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def geocoder(settings: Any, monkeypatch: pytest.MonkeyPatch) -> FakeGeocoder:
    cache.clear()
    settings.GEOCODER = "nominatim"
    fake = FakeGeocoder()
    monkeypatch.setattr(geocode, "_geocoder", lambda: fake)
    return fake


@pytest.mark.django_db(transaction=True)
def test_it_is_off_unless_set(settings: Any) -> None:
    assert settings.GEOCODER == ""
    assert geocode.ask("文化路") is None


@pytest.mark.django_db(transaction=True)
def test_it_is_asked_once_and_only_for_what_we_lack(
    community: Community, geocoder: FakeGeocoder
) -> None:
    (own,) = geocode.search("服务中心", [community])
    assert (own.source, own.lat) == ("buildings", 37.17)
    assert geocoder.asked == []
    geocoder.answer = SimpleNamespace(latitude=37.1, longitude=122.4, address="海边")
    for _ in range(2):
        (found,) = geocode.search("海滨路8号", [community])
        assert (found.source, found.lat, found.lon) == ("geocoder", 37.1, 122.4)
    geocoder.answer = None
    assert geocode.search("没有的路", [community]) == geocode.search("没有的路", [community]) == []
    assert geocoder.asked == ["海滨路8号", "没有的路"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("error", [GeocoderTimedOut("slow"), OSError("no net"), ValueError("odd")])
def test_its_failure_is_nobodys_problem(
    community: Community, geocoder: FakeGeocoder, error: Exception
) -> None:
    geocoder.answer = error
    assert geocode.search("海滨路8号", [community]) == []
    assert geocode.homes(community, ["海滨路8号"]) == {}
    assert not GeocodeAnswer.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_answer_beside_a_building_is_a_home(
    community: Community, geocoder: FakeGeocoder
) -> None:
    geocoder.answer = SimpleNamespace(latitude=37.1602, longitude=122.42, address="旧名路1号")
    found = geocode.homes(community, ["旧名路1号", "文化路3号", ""])
    assert list(found) == ["旧名路1号"]
    assert geocoder.asked == ["旧名路1号"]
    geocoder.answer = SimpleNamespace(latitude=37.2, longitude=122.42, address="远")
    assert geocode.homes(community, ["远方路1号"]) == {}


@pytest.mark.django_db(transaction=True)
def test_chinese_services_answer_in_their_datum(geocoder: FakeGeocoder, settings: Any) -> None:
    settings.GEOCODER = "baiduv3"
    lon, lat = from_wgs84(116.391, 39.907, "bd09")
    geocoder.answer = SimpleNamespace(latitude=lat, longitude=lon, address="天安门")
    found = geocode.ask("天安门")
    assert found is not None
    assert (found.lon, found.lat) == (pytest.approx(116.391), pytest.approx(39.907))
