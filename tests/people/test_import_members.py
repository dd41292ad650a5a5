"""The import of members: spreadsheets as they are, all or nothing, faults by row and column."""

import io
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from common.errors import NotAllowed
from common.models import Audit
from common.unit_of_work import unit_of_work
from grids.people import services
from grids.people.models import Member
from grids.places.models import Building, Community
from tests.factories import BuildingFactory, CellFactory, CommunityFactory, MemberFactory, grant

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]


@pytest.fixture
def community() -> Community:
    community = CommunityFactory(code="hedong", parent=CommunityFactory(level="district"))
    for number in (3, 30):
        BuildingFactory(community=community, address=f"文化路{number}号")
    return community


@pytest.fixture
def run(tmp_path: Path, community: Community) -> Any:
    """Import `text`; return stdout, or the lines of stderr and the last word."""

    def do(text: str | bytes, *options: str, code: str = "hedong") -> Any:
        path = tmp_path / "members.csv"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        out, err = io.StringIO(), io.StringIO()
        try:
            call_command(
                "import_members", str(path), "--community", code, *options, stdout=out, stderr=err
            )
        except CommandError as error:
            lines = [line.split("members.csv: ", 1)[-1] for line in err.getvalue().splitlines()]
            return lines, str(error)
        return out.getvalue().strip()

    return do


HEADER = "name,phone,address,language,class\n"


def test_a_list_is_taken_in(run: Any, community: Community, settings: Any) -> None:
    settings.LANGUAGE_CODE = "zh-hans"
    said = run(
        "\ufeff" + HEADER + "王秀英,138 0000 0001,文化路3号2单元501,zh-hans,resident\r\n"
        "李雷,+86-138-0000-0002,文化路30号,en,party_member\r\n"
        ",,,,\r\n"
        "赵奶奶,,,,\r\n"
    )
    assert said == f"3 members imported into {community.name}."
    rows = list(
        Member.objects.order_by("pk").values_list(
            "display_name", "phone", "home__address", "language", "holder_class", "community"
        )
    )
    pk = community.pk
    assert [(name, phone and str(phone), *rest) for name, phone, *rest in rows] == [
        ("王秀英", "+8613800000001", "文化路3号", "zh-hans", "resident", pk),
        ("李雷", "+8613800000002", "文化路30号", "en", "party_member", pk),
        ("赵奶奶", None, None, "zh-hans", "resident", pk),
    ]
    assert not any(member.has_usable_password() for member in Member.objects.all())
    assert Audit.objects.get().after == {"added": 3, "changed": [], "skipped": 0}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_what_spreadsheets_write_is_read(run: Any, encoding: str, delimiter: str) -> None:
    text = "姓名,手机号,地址,语言,类别\n王秀英,13800000001,文化路3号,中文,党员\n"
    assert "1 members" in run(text.replace(",", delimiter).encode(encoding))
    member = Member.objects.get()
    assert (member.display_name, member.holder_class) == ("王秀英", "party_member")


@pytest.mark.parametrize("phone", ["'13800000001", '"=""13800000001"""', "0086 13800000001"])
def test_protected_digits_are_freed(run: Any, phone: str) -> None:
    run(HEADER + f"王,{phone},,,\n")
    assert str(Member.objects.get().phone) == "+8613800000001"


@pytest.mark.parametrize("name", ["=HYPERLINK(1)", "+王", "-李", "@赵", "=cmd|' /C calc'!A0"])
def test_a_formula_stays_text(run: Any, name: str) -> None:
    run(HEADER + f"{name},,,,\n")
    assert Member.objects.get().display_name == name


def test_every_fault_is_told_by_row_and_column_and_nothing_is_written(
    run: Any, community: Community
) -> None:
    MemberFactory(phone="+8613800000009")
    home = Building.objects.get(address="文化路3号")
    MemberFactory(phone=None, display_name="老张", home=home)
    lines, last = run(
        HEADER
        + "好人,13800000001,文化路3号,,\n"  # 2
        + ",13800000002,,,\n"  # 3
        + "甲,12,,,\n"  # 4
        + "乙,1.38E+10,,,\n"  # 5
        + "丙,,文化路4号,,\n"  # 6
        + "丁,,,法语,\n"  # 7
        + "戊,,,,king\n"  # 8
        + "己,138 0000 0001,,,\n"  # 9
        + "庚,13800000009,,,\n"  # 10
        + "老张,,文化路3号,,\n"  # 11
        + "好人,,文化路 3 号,,\n"  # 12
        + "a\x07b,,,,\n"  # 13
        + "辛,138000000012,,,\n"  # 14
    )
    assert [line.split(". ")[0] for line in lines] == [
        "row 3, column name: The name is empty",
        "row 4, column phone: 12 is no phone number",
        "row 5, column phone: 1.38E+10 was rounded by the spreadsheet",
        "row 6, column address: No building has the address 文化路4号",
        "row 7, column language: 法语 is no language that we have",
        "row 8, column class: king is no class of member",
        "row 9, column phone: The same phone stands in row 2 already",
        "row 10, column phone: The phone belongs to a member already",
        "row 11, column name: A member of this name lives at this address already",
        "row 12, column name: The same name and address stand in row 2 already",
        "row 13, column name: A name must be 1 to 80 printable characters",
        "row 14, column phone: 138000000012 is no phone number",
    ]
    assert all(len(line.split(". ")) == 2 for line in lines)  # each says what to do
    assert last == "12 faults; nothing was imported."
    assert Member.objects.count() == 2


def test_many_faults_are_counted_not_poured_out(run: Any) -> None:
    lines, last = run(HEADER + ",1,,,\n" * 60)
    assert len(lines) == 51
    assert lines[-1] == "… and 70 more"
    assert last == "120 faults; nothing was imported."


def test_a_dry_run_checks_and_writes_nothing(run: Any) -> None:
    assert run(HEADER + "王,,,,\n", "--dry-run") == "1 members can be imported; nothing written."
    assert not Member.objects.exists()
    _, last = run(HEADER + "王,,别处,,\n", "--dry-run")
    assert last == "1 faults; nothing was imported."


def test_the_same_list_twice_is_refused(run: Any) -> None:
    run(HEADER + "王,13800000001,文化路3号,,\n")
    lines, _ = run(HEADER + "王,13800000001,文化路3号,,\n")
    assert "row 2, column phone: The phone belongs to a member already." in lines[0]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "names no column “name”"),
        ("phone,address\n1,2\n", "names no column “name” (姓名), but: phone, address"),
        ("name,name\n", "is there twice"),
        ('name\n"open', "can't be read in line"),
        (b"name\n\xff\xff\xff", "neither UTF-8 nor GB18030"),
    ],
)
def test_a_file_that_is_no_list_is_refused_whole(run: Any, text: Any, says: str) -> None:
    _, last = run(text)
    assert says in last
    assert "members.csv" in last


def test_an_unknown_community_or_file_is_named(run: Any, tmp_path: Path) -> None:
    assert "'nowhere'" in run(HEADER, code="nowhere")[1]
    with pytest.raises(CommandError, match="no such file"):
        call_command("import_members", str(tmp_path / "none.csv"), "--community", "hedong")


def test_columns_left_aside_are_told(tmp_path: Path, community: Community) -> None:
    path, err = tmp_path / "m.csv", io.StringIO()
    path.write_text("name,shoe size\n王,41\n", encoding="utf-8")
    call_command(
        "import_members", str(path), "--community", "hedong", stdout=io.StringIO(), stderr=err
    )
    assert "columns not read: shoe size" in err.getvalue()


def test_a_home_below_decides_the_community(run: Any, community: Community) -> None:
    parent = community.parent
    assert parent
    run(HEADER + "王,,文化路3号,,\n李,,,,\n", code=parent.code)
    assert set(Member.objects.values_list("display_name", "community")) == {
        ("王", community.pk), ("李", parent.pk),
    }  # fmt: skip


def test_an_address_in_two_cells_is_not_guessed(run: Any, community: Community) -> None:
    for _ in range(2):
        BuildingFactory(
            community=community, address="Main St 1", cell=CellFactory(community=community)
        )
    BuildingFactory(community=community, address="Main St 1a")
    lines, _ = run(HEADER + "A,,MAIN  ST 1,,\n")
    assert "2 buildings in different cells have the address main st 1" in lines[0]
    run(HEADER + "A,,Main St 1a,,\nB,,Main St 1a flat 7,,\n")
    assert set(Member.objects.values_list("home__address", flat=True)) == {"Main St 1a"}


def test_only_an_administrator_of_the_place_imports(community: Community) -> None:
    captain = MemberFactory()
    grant(captain, "captain", community=community)
    with pytest.raises(NotAllowed), unit_of_work(captain) as work:
        services.import_members(rows=[], community=community, actor=captain, now=work.now)


def test_members_who_are_there_are_skipped_or_updated(run: Any, community: Community) -> None:
    old = MemberFactory(phone="+8613800000001", display_name="王", community=community)
    other = MemberFactory(phone="+8613800000002", display_name="外", community=CommunityFactory())
    text = HEADER + "王秀英,13800000001,文化路3号,en,\n李,,文化路30号,,\n外人,13800000002,,,\n"
    lines, _ = run(text)
    assert len(lines) == 2
    said = run(text + "李,,文化路30号,,\n", "--duplicates", "skip")
    assert said.endswith("1 members imported into " + community.name + ", 0 changed, 3 skipped.")
    old.refresh_from_db()
    assert old.display_name == "王"
    said = run(text, "--duplicates", "update")
    assert said.endswith("0 members imported into " + community.name + ", 2 changed, 1 skipped.")
    old.refresh_from_db()
    other.refresh_from_db()
    assert (old.display_name, old.language, str(old.home)) == ("王秀英", "en", "文化路3号")
    assert other.display_name == "外"


def test_no_list_hands_an_account_to_another_phone(run: Any, community: Community) -> None:
    home = Building.objects.get(address="文化路3号")
    MemberFactory(phone="+8613800000001", display_name="王", home=home, community=community)
    leader = MemberFactory(phone=None, display_name="长", home=home, community=community)
    grant(leader, "administrator", community=community)
    elder = MemberFactory(phone=None, display_name="奶", home=home, community=community)
    for name in ("王", "长"):
        lines, _ = run(HEADER + f"{name},13800000009,文化路3号,,\n", "--duplicates", "update")
        assert "another phone, or holds a role" in lines[0]
    run(HEADER + "奶,13800000009,文化路3号,,\n", "--duplicates", "update")
    elder.refresh_from_db()
    assert str(elder.phone) == "+8613800000009"


def test_unknown_homes_may_be_left_empty(run: Any) -> None:
    assert "1 members" in run(HEADER + "王,,别处,,\n", "--leave-unknown-homes")
    assert Member.objects.get().home is None
