"""A person, their token, and a row as wide as a seat or a check-in."""

from typing import Any

from django.db import models


class Person(models.Model):
    """Who signs up."""

    name = models.CharField(max_length=80)
    is_authenticated = True

    def __str__(self) -> str:
        return self.name


class Token(models.Model):
    """An API token."""

    key = models.CharField(max_length=64, unique=True)
    person = models.ForeignKey(Person, on_delete=models.CASCADE)


class SignUp(models.Model):
    """One sign-up or check-in."""

    person = models.ForeignKey(Person, on_delete=models.PROTECT)
    shift = models.BigIntegerField(db_index=True)
    kind = models.CharField(max_length=12)
    occurred_at = models.DateTimeField()
    received_at = models.DateTimeField(auto_now_add=True)
    lat = models.FloatField(null=True)
    lon = models.FloatField(null=True)
    reasons: Any = models.JSONField(default=list)
