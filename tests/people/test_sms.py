"""Messages: one clear line, a gateway that may fail, and never a code in a log."""

import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from grids.people import sms
from grids.people.sms import Message

MESSAGE = Message(to="+8613900000001", text="Your Linli code is 123456.")


class Gateway(HTTPServer):
    """Answers with `statuses` in turn and keeps what it was sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.statuses: list[int] = []
        self.taken: list[tuple[Any, ...]] = []


class _Handler(BaseHTTPRequestHandler):
    server: Gateway

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.taken.append(
            (body, self.headers["Authorization"], self.headers["Content-Type"])
        )
        status = self.server.statuses.pop(0)
        self.send_response(status, body["text"])
        if status == 302:
            self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        self.server.taken.append(("redirected",))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def gateway(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    server = Gateway()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings.SMS_BACKEND = "http"
    settings.SMS_GATEWAY_URL = f"http://127.0.0.1:{server.server_port}/send"
    settings.SMS_GATEWAY_TOKEN = "secret-token"
    monkeypatch.setattr(sms, "WAITS_SECONDS", (0, 0))
    yield server
    server.shutdown()
    server.server_close()


def test_the_console_prints_one_line_and_logs_no_code(
    settings: Any, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    settings.SMS_BACKEND = "console"
    with caplog.at_level(logging.INFO):
        assert sms.deliver(MESSAGE)
    assert capsys.readouterr().out == "SMS to +8613900000001: Your Linli code is 123456.\n"
    assert "0001" in caplog.text
    assert "123456" not in caplog.text
    assert "13900000001" not in caplog.text


def test_the_gateway_gets_json_and_a_bearer_token(gateway: Gateway) -> None:
    gateway.statuses = [202]
    assert sms.deliver(MESSAGE)
    assert gateway.taken == [
        (
            {"to": "+8613900000001", "text": "Your Linli code is 123456."},
            "Bearer secret-token",
            "application/json",
        )
    ]


def test_a_failing_gateway_is_tried_again(
    gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    gateway.statuses = [500, 503, 200]
    assert sms.deliver(MESSAGE)
    assert len(gateway.taken) == 3
    # The gateway quotes the text in its reason phrase; it must not reach the log.
    assert "HTTPError 500" in caplog.text
    assert "123456" not in caplog.text


@pytest.mark.expects_errors
def test_a_dead_gateway_is_an_error_without_the_code(
    gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    gateway.statuses = [500] * 3
    assert not sms.deliver(MESSAGE)
    assert [record.levelname for record in caplog.records][-1] == "ERROR"
    assert "123456" not in caplog.text
    assert "secret-token" not in caplog.text


@pytest.mark.expects_errors
def test_a_redirect_is_refused(gateway: Gateway) -> None:
    gateway.statuses = [302] * 3
    assert not sms.deliver(MESSAGE)
    assert ("redirected",) not in gateway.taken


@pytest.mark.expects_errors
def test_a_file_address_is_refused(gateway: Gateway, settings: Any) -> None:
    settings.SMS_GATEWAY_URL = "file:///etc/passwd"
    assert not sms.deliver(MESSAGE)


def test_no_message_is_no_message(gateway: Gateway) -> None:
    assert not sms.deliver(None)
    assert gateway.taken == []


@pytest.mark.django_db(transaction=True)
def test_nothing_is_sent_when_the_write_fails(outbox: list[Message]) -> None:
    from common.errors import NotFound
    from common.unit_of_work import unit_of_work

    def fail() -> None:
        with unit_of_work():
            sms.send_after_commit(MESSAGE)
            raise NotFound

    with pytest.raises(NotFound):
        fail()
    assert outbox == []
    with unit_of_work():
        sms.send_after_commit(MESSAGE)
        assert outbox == []
    assert outbox == [MESSAGE]
