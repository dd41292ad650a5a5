"""Write a route as GPX 1.1, which phones and watches read (topografix.com/GPX/1/1/gpx.xsd)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

NAMESPACE = "http://www.topografix.com/GPX/1/1"
CONTENT_TYPE = "application/gpx+xml"
# What XML 1.0 can't hold, not even escaped.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(
    *,
    name: str,
    made_at: datetime,
    meeting: tuple[str, float, float] | None,
    tracks: Sequence[tuple[str, Sequence[tuple[float, float]]]],
) -> bytes:
    """Return a GPX document: the meeting point (name, lon, lat) and tracks of lon, lat."""
    ET.register_namespace("", NAMESPACE)
    root = ET.Element(_tag("gpx"), {"version": "1.1", "creator": "Linli"})
    metadata = ET.SubElement(root, _tag("metadata"))
    _text(metadata, "name", name)
    _text(metadata, "time", made_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    if meeting is not None:
        place = ET.SubElement(root, _tag("wpt"), _position(meeting[1], meeting[2]))
        _text(place, "name", meeting[0])
    for title, points in tracks:
        track = ET.SubElement(root, _tag("trk"))
        _text(track, "name", title)
        segment = ET.SubElement(track, _tag("trkseg"))
        for lon, lat in points:
            ET.SubElement(segment, _tag("trkpt"), _position(lon, lat))
    return bytes(ET.tostring(root, encoding="UTF-8", xml_declaration=True))


def _tag(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


def _text(parent: ET.Element, name: str, text: str) -> None:
    ET.SubElement(parent, _tag(name)).text = _FORBIDDEN.sub("", text)


def _position(lon: float, lat: float) -> dict[str, str]:
    return {"lat": f"{lat:.6f}", "lon": f"{lon:.6f}"}
