"""Writers on SQLite queue inside the process."""

import threading

import pytest
from django.db import OperationalError, connection

from common import unit_of_work as module
from common.unit_of_work import unit_of_work

pytestmark = [pytest.mark.sqlite, pytest.mark.django_db(transaction=True)]


def test_a_writer_waits_for_the_one_before() -> None:
    order: list[str] = []
    inside, go_on = threading.Event(), threading.Event()

    def first() -> None:
        with unit_of_work():
            inside.set()
            go_on.wait(5)
            order.append("first")
        connection.close()

    def second() -> None:
        with unit_of_work():
            order.append("second")
        connection.close()

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    assert inside.wait(5)
    threads[1].start()
    threads[1].join(0.2)
    assert order == []
    go_on.set()
    for thread in threads:
        thread.join(5)
    assert order == ["first", "second"]


def test_who_waits_too_long_is_told_to_try_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SQLITE_WAIT_S", 0.01)
    with module._sqlite_writer, pytest.raises(OperationalError), unit_of_work():
        pass


def test_a_failed_write_gives_its_turn_back() -> None:
    with pytest.raises(ZeroDivisionError), unit_of_work():
        raise ZeroDivisionError
    with unit_of_work():
        pass
