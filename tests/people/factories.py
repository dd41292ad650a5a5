"""Factories for the rows that only people own."""

from datetime import date, timedelta

import factory

from grids.people.models import Consent, MemberSkill, Proxy, Skill
from tests.factories import NOW, MemberFactory


class ProxyFactory(factory.django.DjangoModelFactory[Proxy]):
    class Meta:
        model = Proxy

    member = factory.SubFactory(MemberFactory)
    proxy = factory.SubFactory(MemberFactory)
    starts_on = date(2020, 1, 1)


class SkillFactory(factory.django.DjangoModelFactory[Skill]):
    class Meta:
        model = Skill

    code = factory.Sequence(lambda n: f"skill-{n}")
    name = factory.Sequence(lambda n: f"急救{n}")


class MemberSkillFactory(factory.django.DjangoModelFactory[MemberSkill]):
    class Meta:
        model = MemberSkill

    member = factory.SubFactory(MemberFactory)
    skill = factory.SubFactory(SkillFactory)


class ConsentFactory(factory.django.DjangoModelFactory[Consent]):
    class Meta:
        model = Consent

    member = factory.SubFactory(MemberFactory)
    purpose = "position"
    text_version = "1"
    given_at = NOW - timedelta(days=1)
