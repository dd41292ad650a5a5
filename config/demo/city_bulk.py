"""Write rows by the ten thousand: COPY on PostgreSQL, one prepared statement on SQLite.

Django's bulk_create prepares each value of each row (and on SQLite builds a new statement every
999 values): 12 times slower than this, 6 minutes for a city's year alone. Tables, constraints and
triggers are the same: nothing is switched off.
"""

import json
from collections.abc import Callable, Iterator
from datetime import UTC
from functools import lru_cache
from itertools import count
from typing import Any

from django.db import connection, models

_BLOCK = 5_000


class Rows:
    """Rows of one model, numbered as they are added and written together.

    Use it inside one transaction, one per model at a time. `columns` names the values of a row
    (attribute names, after the id); every other column gets its constant or its default.
    """

    def __init__(self, model: type[models.Model], columns: str, **constants: Any) -> None:
        self._model = model
        self._ids = _free_ids(model)
        self._rows: list[tuple[Any, ...]] = []
        names = columns.split()
        fields = {f.attname: f for f in model._meta.concrete_fields if not f.primary_key}
        rest = [field for name, field in fields.items() if name not in names]
        converters = [_converter(fields[name]) for name in names]
        self._special = [(i + 1, turn) for i, turn in enumerate(converters) if turn is not None]
        self._tail = tuple(_prepared(f, constants.get(f.attname, f.get_default())) for f in rest)
        self._columns = ["id", *(str(fields[name].column) for name in names)]
        self._columns += [str(field.column) for field in rest]

    def __len__(self) -> int:
        return len(self._rows)

    def new_id(self) -> int:
        """Take an id for a row that is put later."""
        return next(self._ids)

    def put(self, pk: int, *values: Any) -> None:
        """Keep a row with an id taken before."""
        self._rows.append((pk, *values))

    def add(self, *values: Any) -> int:
        """Keep a row; return its id."""
        pk = next(self._ids)
        self._rows.append((pk, *values))
        return pk

    def write(self) -> int:
        """Insert what was kept; return how many rows."""
        written = len(self._rows)
        if not self._rows:
            return 0
        quote = connection.ops.quote_name
        table = quote(self._model._meta.db_table)
        columns = ", ".join(map(quote, self._columns))
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
                    for row in self._prepared_rows():
                        copy.write_row(row)
            else:
                marks = ", ".join(["%s"] * len(self._columns))
                # Any iterable will do: django-stubs asks for a list, which would double the memory.
                rows: Any = self._prepared_rows()
                cursor.executemany(
                    f"INSERT INTO {table} ({columns}) VALUES ({marks})",  # noqa: S608
                    rows,
                )
        self._rows = []
        return written

    def _prepared_rows(self) -> Iterator[tuple[Any, ...]]:
        special, tail = self._special, self._tail
        for row in self._rows:
            values = list(row)
            for i, turn in special:
                values[i] = turn(values[i])
            yield (*values, *tail)


def _free_ids(model: type[models.Model]) -> Iterator[int]:
    """Yield ids that nobody else gets: from the sequence, or under SQLite's write lock."""
    table = model._meta.db_table
    if connection.vendor != "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [table])
            row = cursor.fetchone()
        yield from count(row[0] + 1 if row else 1)
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)",
                [table, _BLOCK],
            )
            block = sorted(row[0] for row in cursor.fetchall())
        yield from block


@lru_cache(maxsize=50_000)
def _stamp(value: Any) -> Any:
    return None if value is None else str(value.astimezone(UTC).replace(tzinfo=None))


@lru_cache(maxsize=5_000)
def _text(value: Any) -> Any:
    return None if value is None else str(value)


def _json(value: Any) -> str:
    return "[]" if value == [] else json.dumps(value)


def _converter(field: models.Field[Any, Any]) -> Callable[[Any], Any] | None:
    """Return what turns a Python value into one that the driver takes, if it needs turning."""
    if isinstance(field, models.JSONField):
        return _json
    if connection.vendor == "postgresql":
        return None
    if isinstance(field, models.DateTimeField):
        return _stamp
    if isinstance(field, (models.DateField, models.TimeField)):
        return _text
    return None


def _prepared(field: models.Field[Any, Any], value: Any) -> Any:
    turn = _converter(field)
    return value if turn is None else turn(value)
