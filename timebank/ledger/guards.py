"""Triggers that keep the books append-only, on SQLite and PostgreSQL.

They are installed after every migrate, since an ALTER on SQLite drops them silently; the system
check and `verify_ledger` name each one that is missing or was changed. Only the test runner
lifts them, around flush.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core import checks
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper

FROZEN = ("ledger_ledger", "ledger_posting", "ledger_transfer", "ledger_seal", "ledger_sealleaf")
ACCOUNT = "ledger_account"
# Who an account belongs to never changes; totals only grow.
FIXED_COLUMNS = (
    "id", "ledger_id", "kind", "member_id", "household_id", "organisation_id", "opened_at",
)  # fmt: skip
GROWING_COLUMNS = ("received_total", "spent_total", "last_at")

Triggers = dict[str, tuple[str, str]]


def _sqlite_triggers() -> Triggers:
    """Name → (table, SQL)."""
    wanted: Triggers = {}

    def add(table: str, what: str, event: str, when: str = "") -> None:
        name = f"{table}_{what}"
        condition = f" WHEN {when}" if when else ""
        wanted[name] = (
            table,
            (
                f"CREATE TRIGGER {name} BEFORE {event} ON {table}{condition} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            ),
        )

    for table in FROZEN:
        add(table, "no_update", "UPDATE")
    for table in (*FROZEN, ACCOUNT):
        add(table, "no_delete", "DELETE")
        # INSERT OR REPLACE would delete the old row without firing a delete trigger.
        twin = f"EXISTS (SELECT 1 FROM {table} WHERE id = NEW.id)"  # noqa: S608
        add(table, "no_replace", "INSERT", twin)
    changed = " OR ".join(f"NEW.{column} IS NOT OLD.{column}" for column in FIXED_COLUMNS)
    shrunk = " OR ".join(f"NEW.{column} < OLD.{column}" for column in GROWING_COLUMNS)
    add(ACCOUNT, "no_rewrite", "UPDATE", f"{changed} OR {shrunk}")
    return wanted


_REFUSE = "BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END"
_JUDGE = (
    "BEGIN IF "
    + " OR ".join(
        [f"NEW.{column} IS DISTINCT FROM OLD.{column}" for column in FIXED_COLUMNS]
        + [f"NEW.{column} < OLD.{column}" for column in GROWING_COLUMNS]
    )
    + " THEN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END IF; RETURN NEW; END"
)
FUNCTIONS = {"ledger_refuse": _REFUSE, "ledger_judge": _JUDGE}


def _postgres_triggers() -> Triggers:
    """Name → (table, SQL)."""
    wanted: Triggers = {}

    def add(table: str, what: str, event: str, function: str, each: str = "ROW") -> None:
        name = f"{table}_{what}"
        wanted[name] = (
            table,
            (
                f"CREATE TRIGGER {name} BEFORE {event} ON {table} "
                f"FOR EACH {each} EXECUTE FUNCTION {function}()"
            ),
        )

    for table in FROZEN:
        add(table, "no_update", "UPDATE", "ledger_refuse")
    for table in (*FROZEN, ACCOUNT):
        add(table, "no_delete", "DELETE", "ledger_refuse")
        add(table, "no_truncate", "TRUNCATE", "ledger_refuse", "STATEMENT")
    add(ACCOUNT, "no_rewrite", "UPDATE", "ledger_judge")
    return wanted


def wanted(connection: BaseDatabaseWrapper) -> Triggers:
    """Return every trigger that must stand on this database."""
    return _postgres_triggers() if connection.vendor == "postgresql" else _sqlite_triggers()


def install(using: str = DEFAULT_DB_ALIAS) -> None:
    """Put back whatever is missing or changed; does nothing where all stands."""
    connection = connections[using]
    tables = set(connection.introspection.table_names())
    broken = set(faults(using))
    if not broken:
        return
    triggers = wanted(connection)
    with connection.cursor() as cursor:
        _settle(cursor, connection.vendor)
        if connection.vendor == "postgresql":
            for name, body in FUNCTIONS.items():
                if name in broken:
                    cursor.execute(
                        f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger "
                        f"LANGUAGE plpgsql AS $guard${body}$guard$"
                    )
        for name, (table, sql) in triggers.items():
            if name not in broken or table not in tables:
                continue
            cursor.execute(_drop(connection, name, table))
            cursor.execute(sql)
            if connection.vendor == "postgresql":
                # ALWAYS: also in a session that calls itself a replica.
                cursor.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}")


def _settle(cursor: Any, vendor: str) -> None:
    """Run deferred foreign key checks now: PostgreSQL alters no table that still awaits them."""
    if vendor == "postgresql":
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def _drop(connection: BaseDatabaseWrapper, name: str, table: str) -> str:
    on_table = f" ON {table}" if connection.vendor == "postgresql" else ""
    return f"DROP TRIGGER IF EXISTS {name}{on_table}"


def faults(using: str = DEFAULT_DB_ALIAS) -> list[str]:
    """Name every guard that is missing, switched off or rewritten."""
    connection = connections[using]
    found = _standing(connection)
    triggers = {name: _plain(sql) for name, (_table, sql) in wanted(connection).items()}
    if connection.vendor == "postgresql":
        triggers |= {name: _plain(body) for name, body in FUNCTIONS.items()}
    return sorted(name for name, text in triggers.items() if found.get(name) != text)


def _plain(sql: str) -> str:
    return re.sub(r"\s+", " ", sql).strip()


def _standing(connection: BaseDatabaseWrapper) -> dict[str, str]:
    """Read the guards that stand now: name → normalised text."""
    with connection.cursor() as cursor:
        if connection.vendor != "postgresql":
            cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
            return {name: _plain(sql) for name, sql in cursor.fetchall()}
        cursor.execute(
            "SELECT t.tgname, pg_get_triggerdef(t.oid) FROM pg_trigger t "
            "JOIN pg_class c ON c.oid = t.tgrelid "
            "WHERE NOT t.tgisinternal AND t.tgenabled = 'A' "
            "AND c.relnamespace = current_schema()::regnamespace"
        )
        found = {name: _plain(re.sub(r" ON \w+\.", " ON ", sql)) for name, sql in cursor.fetchall()}
        cursor.execute(
            "SELECT proname, prosrc FROM pg_proc WHERE proname = ANY(%s) "
            "AND pronamespace = current_schema()::regnamespace",
            [list(FUNCTIONS)],
        )
        return found | {name: _plain(body) for name, body in cursor.fetchall()}


@contextmanager
def lifted(using: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """Take the guards down for the test runner's flush, and put them back."""
    connection = connections[using]
    tables = set(connection.introspection.table_names())
    with connection.cursor() as cursor:
        _settle(cursor, connection.vendor)
        for name, (table, _sql) in wanted(connection).items():
            if table in tables:
                cursor.execute(_drop(connection, name, table))
    try:
        yield
    finally:
        install(using)


def install_after_migrate(**kwargs: Any) -> None:
    """Receive `post_migrate` of this app."""
    install(kwargs["using"])


def check_guards(
    *, app_configs: Any = None, databases: Any = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """Report an Error for each guard that is missing (`manage.py check --database default`)."""
    errors: list[checks.CheckMessage] = []
    for using in databases or []:
        tables = set(connections[using].introspection.table_names())
        if not {*FROZEN, ACCOUNT} <= tables:
            continue  # not migrated yet: migrating installs them
        errors += [
            checks.Error(
                f"The ledger's guard {name} is missing or changed on database {using}.",
                hint="Find out who did it; `manage.py migrate --skip-checks` puts it back.",
                id="ledger.E001",
            )
            for name in faults(using)
        ]
    return errors
