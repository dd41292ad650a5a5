"""The socket: subscribe, replay, reset, refusals, and that no change is ever missed."""

import re
import threading
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from tests.contract.conftest import Shifts
from tests.contract.site import Person, Site, Socket


@pytest.fixture
def socket(site: Site, captain: Person) -> Iterator[Socket]:
    with site.socket(captain.token) as opened:
        yield opened


def churn(people: list[Person], shift: dict[str, Any]) -> None:
    """Claim and release: two events a person."""
    for person in people:
        assert person.post(f"shifts/{shift['id']}/claim").status_code == 200
        assert person.post(f"shifts/{shift['id']}/release").status_code == 200


def events(frames: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [frame for frame in frames if "seq" in frame and "type" in frame]


def test_subscribe_and_stream(
    socket: Socket, board: str, volunteers: list[Person], shifts: Shifts
) -> None:
    shift = shifts.later()
    head = socket.subscribe(board)
    churn(volunteers[:1], shift)
    claimed, released = socket.take(), socket.take()
    assert [claimed["seq"], released["seq"]] == [head + 1, head + 2]
    assert [claimed["type"], released["type"]] == ["seat.claimed", "seat.released"]
    for frame, left in ((claimed, 2), (released, 3)):
        assert frame["topic"] == board
        assert datetime.fromisoformat(frame["at"]).tzinfo
        assert frame["data"]["shift"] == shift["id"]
        assert frame["data"]["seat"] in {seat["id"] for seat in shift["seats"]}
        assert frame["data"]["open_seats"] == left
        # The public board names nobody.
        assert not frame["data"].get("member")
        assert "name" not in str(frame["data"])


def test_replay(
    site: Site, captain: Person, board: str, volunteers: list[Person], shifts: Shifts
) -> None:
    shift = shifts.later()
    with site.socket(captain.token) as before:
        head = before.subscribe(board)
    churn(volunteers[:3], shift)
    with site.socket(captain.token) as after:
        assert after.subscribe(board, since=head) == head + 6
        replayed = [after.take() for _ in range(6)]
        assert [frame["seq"] for frame in replayed] == list(range(head + 1, head + 7))
        churn(volunteers[:1], shift)
        assert [after.take()["seq"], after.take()["seq"]] == [head + 7, head + 8]
        # Up to date: nothing is said twice.
        assert after.subscribe(board, since=head + 8) == head + 8
        after.nothing()


def test_reset(site: Site, captain: Person, board: str) -> None:
    with site.socket(captain.token) as opened:
        head = opened.subscribe(board)
        for since in (head + 1, 10**15, 10**30):
            opened.send(do="subscribe", topic=board, since=since)
            assert opened.take() == {"do": "reset", "topic": board, "seq": head}


def test_not_allowed(
    site: Site, captain: Person, volunteers: list[Person], demo: dict[str, Any], kitchen: Person
) -> None:
    with site.socket(volunteers[0].token) as opened:
        for topic in (
            f"member:{volunteers[1].id}", f"cell:{demo['cells'][0]}", "partner:1",
            "community:987654321", "member:987654321", "cell:987654321", "partner:987654321",
        ):  # fmt: skip
            opened.send(do="subscribe", topic=topic, since=None)
            answer = opened.take()
            assert (answer["do"], answer["code"], answer["topic"]) == (
                "error", "not_allowed", topic,
            )  # fmt: skip
        opened.subscribe(f"member:{volunteers[0].id}")
        opened.send(do="ping")
        assert opened.take() == {"do": "pong"}
    with site.socket(captain.token) as opened:
        opened.subscribe(f"cell:{demo['cells'][0]}")
        opened.send(do="subscribe", topic=f"member:{volunteers[0].id}", since=None)
        assert opened.take()["code"] == "not_allowed"
    with site.socket(kitchen.token) as opened:
        partners = [offer["partner"] for offer in kitchen.get("offers")["results"]]
        answers = []
        for partner in sorted(set(partners)):
            opened.send(do="subscribe", topic=f"partner:{partner}", since=None)
            answers.append(opened.take()["do"])
        assert answers.count("subscribed") == 1


@pytest.mark.parametrize(
    "frame",
    [
        "", "{", "[]", "null", "5", '"x"', "{}", '{"do":null}', '{"do":5}', '{"do":"dance"}',
        '{"do":["subscribe"]}', '{"do":"subscribe"}', '{"do":"subscribe","topic":null}',
        '{"do":"subscribe","topic":5}', '{"do":"subscribe","topic":"community"}',
        '{"do":"subscribe","topic":"community:"}', '{"do":"subscribe","topic":"community:x"}',
        '{"do":"subscribe","topic":"community:-1"}', '{"do":"subscribe","topic":"community:1:2"}',
        '{"do":"subscribe","topic":"community:１"}', '{"do":"subscribe","topic":"nothing:1"}',
        '{"do":"subscribe","topic":"community:' + "9" * 60 + '"}',
        '{"do":"subscribe","topic":"community:3\\u0000"}', '{"do":"subscribe","topic":"\\ud800"}',
        '{"do":"unsubscribe","topic":[]}', '{"do":"check"}', '{"do":"check","n":"x"}',
        '{"do":"check","n":99}', "[" * 3000, '{"do":' * 500, "x" * 100_000, b"{}", b"\xff\xfe",
        b'{"do":"ping"}',
    ],
)  # fmt: skip
def test_bad_frames(socket: Socket, frame: str | bytes) -> None:
    socket.send_raw(frame)
    answer = socket.take()
    assert (answer["do"], answer["code"]) == ("error", "bad_request")
    socket.send(do="ping")
    assert socket.take() == {"do": "pong"}


@pytest.mark.parametrize("since", ["41", -1, 1.5, True, [], {}, "null"])
def test_bad_since(socket: Socket, board: str, since: object) -> None:
    socket.send(do="subscribe", topic=board, since=since)
    answer = socket.take()
    assert (answer["do"], answer["code"]) == ("error", "bad_request")
    socket.subscribe(board)


def test_unsubscribe(socket: Socket, board: str, volunteers: list[Person], shifts: Shifts) -> None:
    shift = shifts.later()
    socket.subscribe(board)
    socket.send(do="unsubscribe", topic=board)
    socket.send(do="ping")
    assert socket.take() == {"do": "pong"}
    churn(volunteers[:1], shift)
    socket.nothing()


def test_only_members_get_in(site: Site, volunteers: list[Person]) -> None:
    for token in (None, "x", "", "x" * 3000):
        with pytest.raises(InvalidStatus) as refused:
            site.socket(token)
        assert refused.value.response.status_code in {401, 403}
    # A token needs no origin, and none stops it.
    with site.socket(volunteers[0].token, Origin="https://evil.example") as opened:
        opened.send(do="ping")
        assert opened.take() == {"do": "pong"}


def test_a_session_needs_our_origin(site: Site, volunteers: list[Person], board: str) -> None:
    person = volunteers[-7]
    home = f"http://127.0.0.1:{site.port}"
    with httpx.Client(base_url=home, follow_redirects=True, timeout=60) as browser:

        def post(path: str, **fields: str) -> httpx.Response:
            token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', browser.get(path).text)
            assert token
            return browser.post(path, data={**fields, "csrfmiddlewaretoken": token[1]})

        post("/sign-in/", phone=person.phone)
        post("/sign-in/code/", code=site.sms_code(person.phone))
        cookie = "; ".join(f"{name}={text}" for name, text in browser.cookies.items())
        assert browser.get("/api/v1/me").json()["id"] == person.id
        # A session's write needs a CSRF token.
        assert browser.post("/api/v1/shifts/987654321/claim").status_code == 403
    with site.socket(None, Cookie=cookie, Origin=home) as opened:
        opened.subscribe(board)
    for headers in ({"Origin": "https://evil.example"}, {}, {"Origin": "null"}):
        with pytest.raises(InvalidStatus):
            site.socket(None, Cookie=cookie, **headers)


def test_a_cut_socket_misses_nothing(
    site: Site, captain: Person, board: str, volunteers: list[Person], shifts: Shifts
) -> None:
    """Claims go on while the socket is cut again and again without goodbye."""
    shift = shifts.later()
    with site.socket(captain.token) as first:
        start = seq = first.subscribe(board)
    work = threading.Thread(target=churn, args=(volunteers[:24], shift))
    work.start()
    seen: list[int] = []
    last = start + 48
    try:
        while seq < last:
            opened = site.socket(captain.token)
            opened.subscribe(board, since=seq)
            for _ in range(5):
                frame = opened.take()
                seq = frame["seq"]
                seen.append(seq)
                if seq >= last:
                    break
            opened.connection.socket.close()
    finally:
        work.join()
    assert seen == list(range(start + 1, last + 1))


def test_every_socket_hears_everything(
    site: Site, captain: Person, board: str, volunteers: list[Person], shifts: Shifts
) -> None:
    shift = shifts.later()
    sockets = [site.socket(person.token) for person in volunteers[:20]]
    try:
        heads = {opened.subscribe(board) for opened in sockets}
        assert len(heads) == 1
        head = heads.pop()
        churn(volunteers[:10], shift)
        for opened in sockets:
            got = [opened.take()["seq"] for _ in range(20)]
            assert got == list(range(head + 1, head + 21))
    finally:
        for opened in sockets:
            opened.connection.close()


def test_member_and_cell_and_partner_hear_their_own(
    site: Site, captain: Person, volunteers: list[Person], shifts: Shifts, demo: dict[str, Any]
) -> None:
    shift, person = shifts.later(), volunteers[8]
    with site.socket(person.token) as mine, site.socket(captain.token) as cell:
        mine.subscribe(f"member:{person.id}")
        cell.subscribe(f"cell:{demo['cells'][0]}")
        assert (
            captain.post(f"shifts/{shift['id']}/assign", {"member": person.id}).status_code == 200
        )
        assert mine.take()["type"] == "seat.assigned"
        told = cell.take()
        assert told["type"] == "seat.assigned"
        assert told["data"]["shift"] == shift["id"]
        to = person.account()["id"]
        giver = next(one for one in volunteers if float(one.account()["available"]) > 0.01)
        gift = giver.post("transfers", {"to": to, "amount": "0.01"}, key="new")
        assert gift.status_code == 201
        if giver.id != person.id:
            assert mine.until(lambda frame: frame["type"] == "account.changed")


def test_a_commands_events_arrive(
    site: Site, captain: Person, board: str, demo: dict[str, Any]
) -> None:
    with site.socket(captain.token) as opened:
        head = opened.subscribe(board)
        community = next(
            row for row in captain.get("communities")["results"] if row["id"] == demo["community"]
        )
        site.manage(
            "make_roster", "--community", community["code"], "--days", "1", "--seconds", "2",
            "--json", site.folder / "roster.json",
        )  # fmt: skip
        frames = opened.until(lambda frame: frame["type"] == "roster.ready")
        assert frames[0]["seq"] == head + 1
