"""An event as it goes over the wire: encoded once, sent to every socket."""

import json
from datetime import datetime
from typing import Any, NamedTuple


class Frame(NamedTuple):
    """`text` is the JSON frame, `size` its bytes, `at` the event's time as a Unix timestamp."""

    topic: str
    seq: int
    text: str
    size: int
    at: float


def encode(topic: str, seq: int, kind: str, at: datetime, data: dict[str, Any]) -> Frame:
    """Write one event as the contract's frame."""
    text = dumps({"topic": topic, "seq": seq, "type": kind, "at": at.isoformat(), "data": data})
    return Frame(topic, seq, text, len(text.encode()), at.timestamp())


def dumps(message: dict[str, Any]) -> str:
    """Encode a frame compactly, Chinese as it is."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"))
