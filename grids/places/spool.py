"""Rows that were checked and wait to be written, on disk: memory does not grow with the file."""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import fields
from hashlib import blake2b
from types import TracebackType
from typing import Any, Generic, TypeVar

from shapely import from_wkb, to_wkb

from grids.places.geojson import Kind
from grids.places.geojson.rows import Row

R = TypeVar("R")


class Spool(Generic[Row]):
    """Keeps rows in a temporary database that vanishes when it is closed."""

    def __init__(self, kind: Kind[Row]) -> None:
        self.kind = kind
        self.count = 0
        self._columns = [one.name for one in fields(kind.row) if one.name != "geometry"]
        # An empty name is a file of SQLite's own, deleted on closing.
        self._base = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._base.executescript(
            "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-16384;"
            "CREATE TABLE kept (number INTEGER PRIMARY KEY, id TEXT, data TEXT, shape BLOB);"
            "CREATE UNIQUE INDEX by_id ON kept (id);"
            "CREATE TABLE shapes (digest BLOB PRIMARY KEY, number INTEGER) WITHOUT ROWID; BEGIN"
        )

    def __enter__(self) -> "Spool[Row]":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._base.close()

    def add(self, number: int, row: Row) -> tuple[int | None, int | None]:
        """Keep a row; return the number of an earlier one with its id (then it is not kept), and
        of an earlier one with the same outline.
        """
        shape = to_wkb(row.geometry)
        data = json.dumps([getattr(row, name) for name in self._columns])
        known = self._base.execute(
            "INSERT INTO kept VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING number",
            (number, row.source_id, data, shape),
        ).fetchone()
        if known is None:
            first = self._base.execute("SELECT number FROM kept WHERE id = ?", (row.source_id,))
            return first.fetchone()[0], None
        self.count += 1
        digest = blake2b(shape, digest_size=16).digest()
        new = self._base.execute(
            "INSERT INTO shapes VALUES (?, ?) ON CONFLICT DO NOTHING RETURNING number",
            (digest, number),
        ).fetchone()
        if new is not None:
            return None, None
        same = self._base.execute("SELECT number FROM shapes WHERE digest = ?", (digest,))
        return None, same.fetchone()[0]

    def __iter__(self) -> Iterator[Row]:
        for _, row in self.numbered():
            yield row

    def numbered(self) -> Iterator[tuple[int, Row]]:
        """Yield (number, row) in the file's order."""
        found = self._base.execute("SELECT number, data, shape FROM kept ORDER BY number")
        for number, data, shape in found:
            values: dict[str, Any] = dict(zip(self._columns, json.loads(data), strict=True))
            yield number, self.kind.row(**values, geometry=from_wkb(shape))
