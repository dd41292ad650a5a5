"""An event as it goes over the wire: encoded once, sent to every socket."""

import json
import struct
from datetime import datetime
from typing import Any, NamedTuple


class Frame(NamedTuple):
    """`text` is the JSON frame, `wire` the WebSocket frame around it, `at` a Unix timestamp."""

    topic: str
    seq: int
    text: str
    wire: bytes
    at: float

    @classmethod
    def of(cls, topic: str, seq: int, text: str, at: float) -> "Frame":
        """Wrap a text that is already encoded."""
        return cls(topic, seq, text, on_the_wire(text), at)


def encode(topic: str, seq: int, kind: str, at: datetime, data: dict[str, Any]) -> Frame:
    """Write one event as the contract's frame."""
    text = dumps({"topic": topic, "seq": seq, "type": kind, "at": at.isoformat(), "data": data})
    return Frame.of(topic, seq, text, at.timestamp())


def on_the_wire(text: str) -> bytes:
    """Return `text` as one whole, unmasked WebSocket text frame (RFC 6455, section 5.2)."""
    payload = text.encode()
    size = len(payload)
    if size < 126:
        return bytes((0x81, size)) + payload
    if size < 1 << 16:
        return struct.pack(">BBH", 0x81, 126, size) + payload
    return struct.pack(">BBQ", 0x81, 127, size) + payload


def dumps(message: dict[str, Any]) -> str:
    """Encode a frame compactly, Chinese as it is."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"))
