"""Render the gallery and the mock pages without the site, and photograph them.

python tests/ui/render.py                  writes var/ui/*.html
python tests/ui/render.py --serve 8900     and serves them
python tests/ui/render.py --shots          and takes screenshots (Debian's Chromium), runs axe-core
"""

import argparse
import functools
import http.server
import shutil
import threading
from pathlib import Path

import django
import segno
from django.conf import settings
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import include, path
from django.utils.safestring import mark_safe

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
OUT = ROOT / "var" / "ui"

urlpatterns = [path("i18n/", include("django.conf.urls.i18n"))]

VOLUNTEER_NAV = [
    {"url": "today.html", "label": "Today", "icon": "house"},
    {"url": "#shifts", "label": "Shifts", "icon": "calendar-days"},
    {"url": "book.html", "label": "Meals", "icon": "soup"},
    {"url": "statement.html", "label": "Credits", "icon": "wallet"},
]
CAPTAIN_NAV = [
    {"url": "board.html", "label": "Board", "icon": "layout-grid"},
    {"url": "#hours", "label": "Hours", "icon": "clipboard-check"},
    {"url": "#map", "label": "Map", "icon": "map"},
    {"url": "today.html", "label": "Today", "icon": "house"},
    {"url": "statement.html", "label": "Credits", "icon": "wallet"},
]
PARTNER_NAV = [
    {"url": "scan.html", "label": "Scan", "icon": "scan-line"},
    {"url": "#list", "label": "Today's list", "icon": "users"},
    {"url": "#books", "label": "Takings", "icon": "store"},
]


def seat(state, name="", note="", me=False):
    return {"state": state, "name": name, "note": note, "me": me}


# Tonight in one community, gaps first: cell, name, how it stands, shifts.
TONIGHT = [
    ("YT-07", "Seaview Garden, north", "alarm", {
        "19:00–20:30 Night patrol": "checked_in 王秀兰 18:58; no_show 刘建国; open",
        "20:30–22:00 Night patrol": "claimed 陈志强; claimed Zhao_Min; claimed 孙丽华",
    }),
    ("YT-12", "Textile Mill dwellings", "gap", {
        "19:00–20:30 Night patrol":
            "checked_in 周海燕 19:02; checked_in 吴大伟 19:01; claimed 郑云",
        "20:30–22:00 Night patrol": "open; open; claimed Annemarie_Frommelt-Schädler",
    }),
    ("YT-03", "Fisher Lane", "", {
        "19:00–20:30 Night patrol":
            "checked_in 马玉兰 18:55; checked_in 于洪波 18:57; checked_in 姜涛 19:00",
    }),
    ("YT-01", "Old Town, Market Street", "", {
        "17:30–19:00 Evening patrol":
            "checked_out 宋梅 19:00; checked_out 毕文 19:03; checked_out 林芳 19:01",
        "19:00–20:30 Night patrol": "checked_in 丛日明 18:59; checked_in 曲静 19:00; claimed 邹凯",
    }),
]  # fmt: skip


def board():
    cells = []
    for code, name, kind, planned in TONIGHT:
        shifts = []
        for head, text in planned.items():
            time, _, title = head.partition(" ")
            seats = [seat(*each.split(" ", 1)) for each in text.split("; ")]
            for each in seats:
                words = each["name"].rsplit(" ", 1)
                if ":" in words[-1]:
                    each["name"], each["note"] = words
                each["name"] = each["name"].replace("_", " ")
            states = [each["state"] for each in seats]
            covered = sum(state not in {"open", "no_show"} for state in states)
            shifts.append(
                {"time": time, "title": title, "seats": seats, "states": states, "covered": covered}
            )
        states = [state for each in shifts for state in each["states"]]
        cells.append(
            {
                "code": code,
                "name": name,
                "kind": kind,
                "shifts": shifts,
                "states": states,
                "covered": sum(each["covered"] for each in shifts),
                "total": len(states),
            }
        )
    return cells


LINES = [
    ("12 Nov", "Night patrol, cell YT-07", "1.5 hours, approved by 陈志强", "in", "0.75", "8.25"),
    (
        "11 Nov",
        "Lunch at Harbour Street kitchen",
        "Booking K7RT2M, for 王桂英",
        "out",
        "1.00",
        "7.50",
    ),
    ("9 Nov", "Kitchen help, Harbour Street", "3 hours, approved by 孙丽华", "in", "1.50", "8.50"),
    ("5 Nov", "Correction of 2 Nov", "Counted twice by mistake", "out", "0.75", "7.00"),
    ("2 Nov", "Night patrol, cell YT-07", "1.5 hours, approved by 陈志强", "in", "0.75", "7.75"),
]


def contexts():
    # make_qr, not make: short texts would become Micro QR, which no phone reads
    qr = mark_safe(segno.make_qr("K7RT2M", error="m").svg_inline(border=0, scale=8, omitsize=True))
    purse = {"available": "7.25", "balance": "8.25", "held": "1.00"}
    volunteer = {
        "nav_items": VOLUNTEER_NAV,
        "community_name": "Yatou, Seaview community",
        "account_name": "王秀兰",
        "sign_out_url": "#out",
        "account_items": [{"url": "#me", "label": "My details", "icon": "user-round"}],
    }
    captain = {**volunteer, "nav_items": CAPTAIN_NAV, "account_name": "陈志强"}
    partner = {
        **volunteer,
        "nav_items": PARTNER_NAV,
        "community_name": "Harbour Street kitchen",
        "account_name": "孙丽华",
    }
    mine = [seat("claimed", "王秀兰", me=True), seat("claimed", "刘建国"), seat("open")]
    return {
        "gallery": {"cells": board(), "qr": qr, **purse},
        "mocks/today": {**volunteer, **purse, "seats": mine},
        "mocks/board": {**captain, "cells": board()},
        "mocks/scan": partner,
        "mocks/scan_yes": {**partner, "kind": "yes"},
        "mocks/scan_no": {**partner, "kind": "no"},
        "mocks/book": {**volunteer, "available": "7.25"},
        "mocks/booked": {**volunteer, "qr": qr},
        "mocks/statement": {**volunteer, **purse, "lines": LINES},
        "mocks/_board": {"cells": board()},
        "404": {**volunteer},
        "error": {
            **volunteer,
            "status": 409,
            "code": "shift_full",
            "title": "All seats of this shift are taken",
            "detail": "Somebody was quicker: the last seat went while you were looking.",
            "todo": "Choose another shift; the list shows what is still open.",
            "back_url": "today.html",
            "back_label": "Open shifts",
        },
    }


def render():
    settings.configure(
        SECRET_KEY="gallery",
        ROOT_URLCONF=__name__,
        STATIC_URL="/static/",
        USE_I18N=True,
        DEBUG=False,
        LANGUAGE_CODE="en",
        LANGUAGES=[("en", "English"), ("zh-hans", "简体中文")],
        INSTALLED_APPS=["django.contrib.staticfiles", "django_htmx", "lucide"],
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "DIRS": [ROOT / "templates", HERE],
                "APP_DIRS": True,
                "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
            }
        ],
    )
    django.setup()
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    (OUT / "static").mkdir()
    (OUT / "static" / "linli").symlink_to(ROOT / "static" / "linli")
    import django_htmx

    (OUT / "static" / "django_htmx").symlink_to(
        Path(django_htmx.__file__).parent / "static" / "django_htmx"
    )
    request = HttpRequest()
    request.path = "/"
    names = []
    for name, context in contexts().items():
        page = Path(name).name
        for item in context.get("nav_items", []):
            item["current"] = item["url"] == f"{page.split('_')[0]}.html"
        (OUT / f"{page}.html").write_text(render_to_string(f"{name}.html", context, request))
        if not page.startswith("_"):
            names.append(page)
    return names


FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
CSP = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "object-src 'none'; base-uri 'none'; frame-ancestors 'self'"
)


class Handler(http.server.SimpleHTTPRequestHandler):
    def end_headers(self):
        self.send_header("Content-Security-Policy", CSP)
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def log_message(self, *_args):
        pass


def serve(port=0):
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", port), functools.partial(Handler, directory=str(OUT))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def look(page, url):
    """Open the page; return what is wrong with it: console, sideways scrolling, axe-core."""
    from axe_playwright_python.sync_playwright import Axe

    faults = []

    def hear(message):
        if message.type == "error" and "WebSocket" not in message.text:  # there is no server here
            faults.append(message.text)

    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", hear)
    page.goto(url)
    page.wait_for_timeout(150)
    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    if wide > 0:
        faults.append(f"scrolls sideways by {wide}px")
    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]})
    for rule in found.response["violations"]:
        nodes = rule["nodes"][:4]
        faults += [f"axe {rule['id']}: {node['target']} {node['failureSummary']}" for node in nodes]
    return faults


def shots(names):
    """Photograph every page at each width, light and dark; return the number of faults."""
    from playwright.sync_api import sync_playwright

    server = serve()
    base = f"http://127.0.0.1:{server.server_port}"
    count = 0
    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        for scheme in ("light", "dark"):
            for width, height in ((320, 640), (360, 760), (1280, 860)):
                size = {"width": width, "height": height}
                # axe is put into the page by script, which the CSP would refuse
                view = browser.new_context(viewport=size, color_scheme=scheme, bypass_csp=True)
                for name in names:
                    page = view.new_page()
                    faults = look(page, f"{base}/{name}.html")
                    page.screenshot(path=OUT / f"{name}-{width}-{scheme}.png", full_page=True)
                    page.close()
                    count += len(faults)
                    for fault in faults:
                        print(f"{name} {width} {scheme}: {fault}")
                view.close()
        browser.close()
    server.shutdown()
    return count


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--shots", action="store_true")
    parser.add_argument("--serve", type=int, metavar="PORT")
    options = parser.parse_args()
    pages = render()
    print(f"{len(pages)} pages in {OUT}")
    if options.shots:
        raise SystemExit(1 if shots(pages) else 0)
    if options.serve:
        serve(options.serve)
        print(f"http://127.0.0.1:{options.serve}/gallery.html")
        threading.Event().wait()
