"""What the tests' own helpers promise."""

import pytest

from tests.servers import at_database


@pytest.mark.parametrize(
    ("url", "other"),
    [
        ("postgresql://u:p@db:5432/linli", "postgresql://u:p@db:5432/other"),
        ("postgresql://u@db/linli?sslmode=require", "postgresql://u@db/other?sslmode=require"),
        ("postgresql:///linli?host=/var/run/pg", "postgresql:///other?host=/var/run/pg"),
    ],
)
def test_another_database_keeps_the_options(url: str, other: str) -> None:
    assert at_database(url, "other") == other
