"""The browser modules on the mock pages, in Debian's Chromium, under the strict CSP."""

import functools
import http.server
import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = "/usr/bin/chromium"
CSP = "default-src 'self'; object-src 'none'; base-uri 'none'"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--no-first-run"]  # fmt: skip

browser_test = pytest.mark.browser


@pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")
def test_live_js_with_node():
    tests = [str(path) for path in (ROOT / "tests" / "js").glob("*.test.mjs")]
    done = subprocess.run(["node", "--test", *tests], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


class Handler(http.server.SimpleHTTPRequestHandler):
    def end_headers(self):
        self.send_header("Content-Security-Policy", CSP)
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def log_message(self, *_args):
        pass


@pytest.fixture(scope="module")
def site():
    subprocess.run(
        [sys.executable, str(ROOT / "tests/ui/render.py")], check=True, capture_output=True
    )
    handler = functools.partial(Handler, directory=str(ROOT / "var" / "ui"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture(scope="module")
def chromium():
    if not Path(CHROMIUM).exists():
        pytest.skip("Debian's Chromium is not installed")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def view(chromium, site):
    """A phone; any page error or breach of the CSP fails the test."""
    context = chromium.new_context(viewport={"width": 360, "height": 760}, base_url=site)
    page = context.new_page()
    faults = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "console", lambda m: faults.append(m.text) if "Content Security Policy" in m.text else None
    )
    yield page
    context.close()
    assert faults == []


def answer(status, body):
    return {"status": status, "content_type": "application/json", "body": json.dumps(body)}


def seen_by(page, path, *answers):
    """Answer POSTs of `path` in turn (None: the network fails); return what was sent."""
    sent = []
    queue = list(answers)

    def handle(route):
        sent.append((route.request.headers, json.loads(route.request.post_data)))
        reply = queue.pop(0)
        if reply is None:
            route.abort()
        else:
            route.fulfill(**reply)

    page.route(f"**{path}", handle)
    return sent


@browser_test
def test_check_in_sends_position_once_and_says_the_verdict(view):
    view.context.grant_permissions(["geolocation"])
    view.context.set_geolocation({"latitude": 37.1655, "longitude": 122.4867, "accuracy": 12})
    sent = seen_by(
        view, "/api/v1/checkins", answer(201, {"id": 1, "verdict": "accepted", "reasons": []})
    )
    view.goto("/today.html")
    view.get_by_role("button", name="Check in").click()
    view.get_by_text("You are checked in.").wait_for()
    headers, body = sent[0]
    assert len(headers["idempotency-key"]) == 36
    assert body.pop("occurred_at").endswith("Z")
    assert body == {"seat": 4711, "kind": "in", "lat": 37.1655, "lon": 122.4867, "accuracy_m": 12}
    assert view.evaluate("Object.keys(localStorage)") == []


@browser_test
def test_a_tap_without_network_is_sent_again_as_it_was(view):
    view.context.grant_permissions(["geolocation"])
    view.context.set_geolocation({"latitude": 37.0, "longitude": 122.0})
    sent = seen_by(
        view, "/api/v1/checkins", None,
        answer(201, {"id": 1, "verdict": "review", "reasons": ["late_arrival"]}),
    )  # fmt: skip
    view.goto("/today.html")
    view.get_by_role("button", name="Check in").click()
    view.get_by_text("are kept on this phone").wait_for()
    view.reload()
    view.get_by_text("Somebody will look at it before it counts. It was late.").wait_for()
    assert sent[0][1] == sent[1][1]
    assert sent[0][0]["idempotency-key"] == sent[1][0]["idempotency-key"]


@browser_test
def test_a_refused_position_offers_the_code_and_a_refusal_is_in_words(view):
    sent = seen_by(
        view, "/api/v1/checkins",
        answer(409, {"code": "too_early", "title": "Conflict", "status": 409}),
        answer(201, {"id": 1, "verdict": "accepted", "reasons": []}),
    )  # fmt: skip
    view.goto("/today.html")
    view.get_by_role("button", name="Check in").click()
    code = view.get_by_label("Code at the meeting point")
    code.wait_for()
    assert view.get_by_text("This phone may not tell your position").is_visible()
    code.fill("402881")
    view.get_by_role("button", name="Send with the code").click()
    view.get_by_text("It is too early to check in.").wait_for()
    view.get_by_role("button", name="Send with the code").click()
    view.get_by_text("You are checked in.").wait_for()
    assert sent[0][1]["code"] == "402881"
    assert sent[0][0]["idempotency-key"] != sent[1][0]["idempotency-key"]


@browser_test
def test_the_partner_sees_yes_no_and_wait(view):
    sent = seen_by(
        view, "/api/v1/redemptions", None, answer(201, {"offer": "Lunch", "quantity": 2}),
        answer(409, {"code": "already_redeemed", "title": "Conflict", "detail": "Today at 11:52."}),
    )  # fmt: skip
    view.goto("/scan.html")
    view.locator("[data-scan][data-awake]").wait_for(state="attached")
    dialog = view.locator("#scan-result")
    for kind, words in (
        ("wait", "It is not known yet"),
        ("yes", "Lunch × 2"),
        ("no", "Today at 11:52."),
    ):
        view.locator("[data-scan-field]").fill("k7rt2m")
        view.get_by_role("button", name="Check the code").click()
        dialog.get_by_text(words).wait_for()
        assert dialog.get_attribute("data-kind") == kind
        dialog.get_by_role("button", name="Next").click()
    keys = [headers["idempotency-key"] for headers, _ in sent]
    assert keys[0] == keys[1] != keys[2]
    assert sent[0][1] == {"code": "k7rt2m"}


@browser_test
def test_a_refused_body_is_told_by_its_fields_not_by_http(view):
    problem = {
        "code": "invalid", "title": "Bad Request", "detail": "Some fields need another look.",
        "errors": {"code": ["Type eight letters."], "amount": ["At least 0.01."]},
    }  # fmt: skip
    seen_by(view, "/api/v1/redemptions", answer(400, problem), answer(403, {"title": "Forbidden"}))
    view.goto("/scan.html")
    view.locator("[data-scan][data-awake]").wait_for(state="attached")
    dialog = view.locator("#scan-result")
    for detail in ("Type eight letters. At least 0.01.", ""):
        view.locator("[data-scan-field]").fill("x")
        view.get_by_role("button", name="Check the code").click()
        dialog.get_by_text("This can't be taken.").wait_for()
        assert dialog.locator("[data-result-detail]").inner_text() == detail
        assert "Bad Request" not in dialog.inner_text()
        assert "Forbidden" not in dialog.inner_text()
        dialog.get_by_role("button", name="Next").click()


@browser_test
@pytest.mark.parametrize("path", ["/today.html", "/board.html", "/scan.html"])
def test_large_text_fits_the_bars_of_a_small_phone(view, path):
    view.set_viewport_size({"width": 320, "height": 640})
    view.goto(path)
    view.evaluate("document.documentElement.dataset.text = 'large'")
    edges = """selector => [...document.querySelectorAll(selector)].map(
        (each) => each.getBoundingClientRect()).filter((box) => box.width)"""
    tools = view.evaluate(edges, ".header .tool")
    assert view.evaluate(edges, ".brand__name")[0]["right"] <= tools[0]["left"]
    assert all(box["right"] <= 320 and box["width"] >= 44 for box in tools)
    assert all(box["right"] <= 320 for box in view.evaluate(edges, ".nav__link span"))


@browser_test
def test_the_board_follows_its_topic_over_a_cut(view):
    sockets = []
    subscriptions = []

    def talk(ws):
        sockets.append(ws)

        def hear(text):
            frame = json.loads(text)
            if frame["do"] == "subscribe":
                subscriptions.append(frame["since"])
                ws.send(
                    json.dumps({"do": "subscribed", "topic": "community:3", "seq": frame["since"]})
                )

        ws.on_message(hear)

    fetched = []

    def fragment(route):
        fetched.append(route.request.headers)
        route.fulfill(content_type="text/html", body=f"<p>fragment {len(fetched)}</p>")

    view.route_web_socket("**/ws/", talk)
    view.route("**/_board.html", fragment)
    view.goto("/board.html")
    view.locator("#connection[data-state=live]").wait_for()

    def event(seq):
        return json.dumps({"topic": "community:3", "seq": seq, "type": "seat.claimed",
                           "at": "2025-11-12T19:00:00Z", "data": {"open_seats": 1}})  # fmt: skip

    for seq in (1205, 1206, 1207):
        sockets[0].send(event(seq))
    view.get_by_text("fragment 1").wait_for()
    view.get_by_text("Still open in that shift: 1.").wait_for(state="attached")
    assert len(fetched) == 1  # a burst is one refresh
    assert fetched[0]["hx-request"] == "true"

    sockets[0].close()
    view.locator("#connection[data-state=live]").wait_for()
    while len(sockets) < 2:
        view.wait_for_timeout(50)
    view.locator("#connection[data-state=live]").wait_for()
    sockets[1].send(event(1208))
    view.get_by_text("fragment 2").wait_for()
    assert subscriptions == [1204, 1207]


@browser_test
def test_large_text_stays_and_fits_a_small_phone(view):
    view.set_viewport_size({"width": 320, "height": 640})
    view.goto("/today.html")
    view.get_by_role("button", name="Large text").click()
    assert view.evaluate("getComputedStyle(document.documentElement).fontSize") == "22px"
    assert "linli_text=large" in view.evaluate("document.cookie")
    for name in ("today", "board", "scan", "book", "booked", "statement", "gallery", "404"):
        view.goto(f"/{name}.html")
        view.evaluate("document.documentElement.dataset.text = 'large'")
        assert view.evaluate("document.documentElement.scrollWidth") <= 320, name
