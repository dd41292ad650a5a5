"""The database's own word that nobody holds two seats at once.

An exclusion constraint on PostgreSQL, triggers on SQLite; installed after every migrate, since
an ALTER on SQLite rebuilds the table and silently drops its triggers.
"""

from typing import Any

from django.core.checks import CheckMessage, Error
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

NAME = "nobody_in_two_seats"
_TABLE = "shifts_seat"
_HELD = "member_id IS NOT NULL AND state <> 'no_show'"
_CLASH = f"""
    SELECT RAISE(ABORT, '{NAME}') WHERE EXISTS (
        SELECT 1 FROM {_TABLE} WHERE member_id = NEW.member_id AND state <> 'no_show'
        AND starts_at < NEW.ends_at AND ends_at > NEW.starts_at {{other}}
    );
"""  # noqa: S608
# Before an insert NEW.id is not yet given on SQLite, so only the update compares it.
_SQLITE = {
    f"{NAME}_insert": ("INSERT", ""),
    f"{NAME}_update": (
        "UPDATE OF member_id, state, starts_at, ends_at",
        "AND id <> NEW.id",
    ),
}


def install(database: BaseDatabaseWrapper) -> None:
    """Create the guards that are missing; running it again changes nothing."""
    wanted = missing(database)
    if not wanted:
        return
    with database.cursor() as cursor:
        if database.vendor == "postgresql":
            cursor.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
            cursor.execute(
                f"ALTER TABLE {_TABLE} ADD CONSTRAINT {NAME} EXCLUDE USING gist "
                f"(member_id WITH =, tstzrange(starts_at, ends_at) WITH &&) WHERE ({_HELD})"
            )
            return
        for name in wanted:
            when, other = _SQLITE[name]
            cursor.execute(
                f"CREATE TRIGGER {name} BEFORE {when} ON {_TABLE} "
                "WHEN NEW.member_id IS NOT NULL AND NEW.state <> 'no_show' "
                f"BEGIN {_CLASH.format(other=other)} END"
            )


def remove(database: BaseDatabaseWrapper) -> None:
    """Drop the guards; only for the test that shows what happens without them."""
    with database.cursor() as cursor:
        if database.vendor == "postgresql":
            cursor.execute(f"ALTER TABLE {_TABLE} DROP CONSTRAINT IF EXISTS {NAME}")
            return
        for name in _SQLITE:
            cursor.execute(f"DROP TRIGGER IF EXISTS {name}")


def missing(database: BaseDatabaseWrapper) -> list[str]:
    """Return the names of the guards that the database lacks; empty while the table is absent."""
    with database.cursor() as cursor:
        if _TABLE not in database.introspection.table_names(cursor):
            return []
        if database.vendor == "postgresql":
            cursor.execute("SELECT conname FROM pg_constraint WHERE conname = %s", [NAME])
            expected = [NAME]
        else:
            cursor.execute(
                "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = %s", [_TABLE]
            )
            expected = list(_SQLITE)
        found = {row[0] for row in cursor.fetchall()}
    return [name for name in expected if name not in found]


def install_after_migrate(using: str, **kwargs: Any) -> None:
    """Receive post_migrate."""
    install(connections[using])


def check_guards(databases: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Report a missing guard (`manage.py check --database default`)."""
    return [
        Error(
            f"The guard {name} is missing on {_TABLE}: one person could hold two seats at once.",
            hint="Run manage.py migrate.",
            id="shifts.E001",
        )
        for alias in databases or []
        for name in missing(connections[alias])
    ]
