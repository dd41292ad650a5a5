"""Wake the hubs: only a hint, since each hub also reads its topics' heads once a second."""

from collections.abc import Callable, Sequence

_wakers: list[Callable[[Sequence[str]], None]] = []


def register(waker: Callable[[Sequence[str]], None]) -> None:
    """Let `waker` be called with topic names after each commit that recorded events."""
    _wakers.append(waker)


def topics(names: Sequence[str]) -> None:
    """Tell every registered waker that these topics have news."""
    for waker in _wakers:
        waker(names)
