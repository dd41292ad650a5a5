"""Run things at the same moment, each in a thread and connection of its own."""

from collections.abc import Callable, Sequence
from threading import Barrier, Thread
from typing import Any

from django.db import connections

from common.errors import DomainError
from common.unit_of_work import unit_of_work


def at_once(acts: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run each act in a unit of work, all starting together; return results or refusals' codes."""
    start = Barrier(len(acts))
    results: list[Any] = [None] * len(acts)

    def run(place: int) -> None:
        try:
            start.wait(timeout=30)
            with unit_of_work():
                results[place] = acts[place]()
        except DomainError as error:
            results[place] = error.code
        except Exception as error:  # noqa: BLE001 - the test reports it
            results[place] = error
        finally:
            connections.close_all()

    threads = [Thread(target=run, args=(place,)) for place in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return results
