"""python -m bench.bare.seed N: make the bare project's tables and N people with tokens."""

import os
import sys


def main(people: int) -> None:
    """Fill an empty database; token i is `bare-token-i`."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "bench.bare.settings"
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", run_syncdb=True, verbosity=0)
    from bench.bare.models import Person, Token

    made = Person.objects.bulk_create(Person(name=f"王{n}") for n in range(people))
    Token.objects.bulk_create(
        Token(key=f"bare-token-{n}", person=person) for n, person in enumerate(made)
    )


if __name__ == "__main__":
    main(int(sys.argv[1]))
