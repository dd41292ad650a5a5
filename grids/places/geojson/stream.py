"""Read the features of a GeoJSON file one by one (pure): memory does not grow with the file.

ijson parses. Before it sees a piece, `_Watch` bounds what a file could make it hold (nesting, one
endless feature) and keeps the outline of the document, which says whether it is GeoJSON at all.
"""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import ijson
import numpy as np

from grids.places.findings import Unreadable

_CHUNK = 1 << 16
_DEEPEST = 40
_LARGEST_FEATURE = 32 << 20
_LARGEST_OUTLINE = 1 << 16
# WGS84 under its names; CGCS2000 (EPSG:4490), China's own, differs by centimetres.
_IN_DEGREES = re.compile(r"(crs:?84|epsg:{1,2}(\d[\d.]*:)?(4326|4490|4979))$", re.IGNORECASE)
_NOT_JSON_NUMBER = re.compile(r"-?\b(NaN|Infinity|inf)\b", re.IGNORECASE)


def stream_features(
    path: Path, *, progress: Callable[[int], object] = lambda _bytes: None
) -> Iterator[Any]:
    """Yield each element of a FeatureCollection's "features" as parsed.

    Raises Unreadable, at the latest at the end: take nothing as good before.
    """
    watch = _Watch()
    read = 0
    with _opened(path) as file:
        events = ijson.sendable_list()
        parser = ijson.items_coro(events, "features.item", use_float=True)
        for chunk in _chunks(file):
            fault = watch.feed(chunk)
            if fault:
                raise Unreadable(fault, row=read + 1 if watch.in_features else 0)
            try:
                parser.send(chunk)
            except (ijson.JSONError, UnicodeDecodeError) as error:
                raise _no_json(error, read + len(events), watch) from error
            read += len(events)
            yield from events
            del events[:]
            progress(len(chunk))
        if watch.empty:
            raise Unreadable("empty_file")
        try:
            parser.close()
        except (ijson.JSONError, UnicodeDecodeError) as error:
            raise _no_json(error, read + len(events), watch) from error
        yield from events
        _check_outline(watch.outline(), file)


def _opened(path: Path) -> BinaryIO:
    try:
        file = path.open("rb")
    except FileNotFoundError as error:
        raise Unreadable("no_file") from error
    except OSError as error:
        raise Unreadable("cannot_open", reason=error.strerror or "") from error
    try:
        head = file.read(4)
    except OSError as error:
        file.close()
        raise Unreadable("cannot_open", reason=error.strerror or "") from error
    code = ""
    if head.startswith((b"\x1f\x8b", b"PK\x03\x04", b"7z\xbc\xaf")):
        code = "packed"
    elif head.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\x00" in head:
        code = "utf16"
    if code:
        file.close()
        raise Unreadable(code)
    file.seek(3 if head.startswith(b"\xef\xbb\xbf") else 0)
    return file


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while True:
        try:
            chunk = file.read(_CHUNK)
        except OSError as error:
            raise Unreadable("cannot_open", reason=error.strerror or "") from error
        if not chunk:
            return
        yield chunk


def _no_json(error: Exception, read: int, watch: "_Watch") -> Unreadable:
    """Say in our words what the parser found, and near which feature."""
    text = str(error)
    row = read + 1 if watch.in_features else 0
    if "UTF8" in text or isinstance(error, UnicodeDecodeError):
        return Unreadable("not_utf8", row=row)
    if "premature EOF" in text:
        return Unreadable("cut_off", row=row)
    if "overflow" in text:
        return Unreadable("number_too_large", row=row)
    lines = text.replace("\\n", "\n").split("\n")
    reason = lines[0].removeprefix("b'").split(": ", 1)[-1].rstrip(".")
    if len(lines) > 2 and "^" in lines[2]:
        at = lines[2].index("^")
        found = _NOT_JSON_NUMBER.search(lines[1][max(0, at - 4) : at + 12])
        if found:
            return Unreadable("not_a_number", row=row, text=found[0])
    return Unreadable("no_json", row=row, reason=reason)


class _Watch:
    """Follows strings and brackets through the bytes, without parsing them."""

    def __init__(self) -> None:
        self._depth = 0
        self._inside = 0  # in a string
        self._escaped = False  # the next byte belongs to a backslash
        self._at = 0
        self._calm = 0  # where we last stood between two features
        self._outline = bytearray()

    @property
    def empty(self) -> bool:
        """Nothing but white space came."""
        return not self._outline.strip()

    @property
    def in_features(self) -> bool:
        """The list of features has begun."""
        return b'"features"' in self._outline

    def feed(self, chunk: bytes) -> str:
        """Look at the next bytes; return the code of what is too much, or ""."""
        data = chunk
        if self._escaped:
            data, self._escaped = b" " + data[1:], False
        if b"\\" in data:
            data = re.sub(rb"\\.", b"  ", data, flags=re.DOTALL)
            self._escaped = data.endswith(b"\\")
        values = np.frombuffer(data, dtype=np.uint8)
        inside = (np.cumsum(values == 0x22) + self._inside) & 1
        folded = values | 0x20  # [ and { become {, ] and } become }
        opens = (folded == 0x7B) & (values != 0x7F) & (inside == 0)
        closes = (folded == 0x7D) & (inside == 0)
        depth = np.cumsum(opens.astype(np.int32) - closes) + self._depth
        shown = (depth <= 1) | (opens & (depth == 2))
        self._outline += np.frombuffer(chunk, dtype=np.uint8)[shown].tobytes()
        calm = np.flatnonzero((depth <= 2) & (inside == 0))
        if len(calm):
            self._calm = self._at + int(calm[-1])
        self._at += len(chunk)
        self._depth, self._inside = int(depth[-1]), int(inside[-1])
        if depth.max() > _DEEPEST:
            return "too_deep"
        if self._at - self._calm > _LARGEST_FEATURE:
            return "feature_too_large"
        return "outline_too_large" if len(self._outline) > _LARGEST_OUTLINE else ""

    def outline(self) -> bytes:
        """Return the document with every member's content left out: {"features": []}."""
        return bytes(self._outline)


def _check_outline(outline: bytes, file: BinaryIO) -> None:
    seen: list[str] = []

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        seen.extend(name for name, _ in found)
        return dict(found)

    document = json.loads(outline, object_pairs_hook=pairs)
    if not isinstance(document, dict) or document.get("type") != "FeatureCollection":
        kind = document.get("type") if isinstance(document, dict) else None
        raise Unreadable("no_collection", found=str(kind)[:40] if kind else "")
    if seen.count("features") > 1:
        raise Unreadable("features_twice")
    if not isinstance(document.get("features"), list):
        raise Unreadable("features_no_list")
    if document.get("crs") is not None:
        file.seek(0)
        start = 3 if file.read(3) == b"\xef\xbb\xbf" else 0
        file.seek(start)
        check_crs(next(iter(ijson.items(file, "crs")), None))


def check_crs(crs: Any) -> None:
    """Old GeoJSON may name another reference system: metres taken for degrees ruin a town."""
    if crs is None:
        return
    properties = crs.get("properties") if isinstance(crs, dict) else None
    found = properties.get("name") if isinstance(properties, dict) else crs
    name = " ".join(str(found).split())[:80]
    if not _IN_DEGREES.search(name):
        raise Unreadable("other_crs", name=name)
