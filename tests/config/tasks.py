"""Tasks that the worker's tests queue."""

from django_tasks import task

ran: list[int] = []


@task()
def note(n: int) -> int:
    """Leave a trace."""
    ran.append(n)
    return n
