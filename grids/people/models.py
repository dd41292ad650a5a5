"""Members, how they sign in, and what they may do."""

from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from phonenumber_field.modelfields import PhoneNumberField

from grids.people.managers import MemberManager
from grids.places.models import Building, Cell, Community


class HolderClass(models.TextChoices):
    """Classes of account holder, with their own earning tables (domain: Z2)."""

    RESIDENT = "resident", _("Resident")
    PARTY_MEMBER = "party_member", _("Party member")
    ORGANISATION = "organisation", _("Organisation")
    FIRM = "firm", _("Firm")
    CHILD = "child", _("Child")


class Household(models.Model):
    """A family that shares one pot of credits."""

    community = models.ForeignKey(Community, on_delete=models.PROTECT, related_name="households")
    name = models.CharField(max_length=120)
    home = models.ForeignKey(Building, null=True, blank=True, on_delete=models.PROTECT)

    def __str__(self) -> str:
        return self.name


class Organisation(models.Model):
    """A kitchen, merchant, department, property firm or association."""

    community = models.ForeignKey(Community, on_delete=models.PROTECT, related_name="organisations")
    name = models.CharField(max_length=160)
    phone = PhoneNumberField(null=True, blank=True)
    address = models.CharField(max_length=200, blank=True)

    def __str__(self) -> str:
        return self.name


class Member(AbstractBaseUser):
    """A person of the neighbourhood; the user model.

    `phone` is E.164, unique, and NULL for an elder who has none. There is no password: people
    sign in with a one-time code. `erased_at` marks a person whose personal data was erased.
    """

    phone = PhoneNumberField(null=True, blank=True, unique=True)
    display_name = models.CharField(max_length=80)
    language = models.CharField(
        max_length=10, choices=[("zh-hans", "简体中文"), ("en", "English")], default="zh-hans"
    )
    community = models.ForeignKey(
        Community, null=True, blank=True, on_delete=models.PROTECT, related_name="members"
    )
    home = models.ForeignKey(
        Building, null=True, blank=True, on_delete=models.PROTECT, related_name="residents"
    )
    household = models.ForeignKey(
        Household, null=True, blank=True, on_delete=models.PROTECT, related_name="members"
    )
    holder_class = models.CharField(
        max_length=16, choices=HolderClass, default=HolderClass.RESIDENT
    )
    large_text = models.BooleanField(default=False, help_text=_("Show every page larger."))
    born_on = models.DateField(null=True, blank=True)
    joined_at = models.DateTimeField()
    erased_at = models.DateTimeField(null=True, blank=True)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False, help_text=_("May open the admin."))
    is_superuser = models.BooleanField(default=False)

    USERNAME_FIELD = "phone"
    REQUIRED_FIELDS = ["display_name"]
    objects = MemberManager()

    def __str__(self) -> str:
        return self.display_name

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        """Only platform administrators use Django's admin."""
        return self.is_active and self.is_superuser

    def has_module_perms(self, app_label: str) -> bool:
        return self.is_active and self.is_superuser


class LoginCode(models.Model):
    """A one-time code: six digits, ten minutes, five tries; the rate limits count these rows.

    Phone, code and IP address are stored as keyed hashes: a row is written for every number that
    somebody types, and numbers of people without an account are none of our business.
    """

    phone_digest = models.CharField(max_length=64)
    digest = models.CharField(max_length=64)
    address_digest = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_index=True)
    expires_at = models.DateTimeField()
    tries_left = models.PositiveSmallIntegerField(default=5)
    used_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["phone_digest", "created_at"], name="code_by_phone"),
            models.Index(fields=["address_digest", "created_at"], name="code_by_address"),
        ]


class ApiToken(models.Model):
    """An API token; only its SHA-256 is stored."""

    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="tokens")
    digest = models.CharField(max_length=64, unique=True)
    label = models.CharField(max_length=80, blank=True)
    created_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)


def _one_of(*fields: str) -> Q:
    """Demand that exactly one of these columns is set."""
    condition = Q()
    for chosen in fields:
        condition |= Q(**{f"{field}__isnull": field != chosen for field in fields})
    return condition


class Role(models.Model):
    """What a member may do, where, and from when to when.

    Exactly one scope: a community (with its subtree), a cell, an organisation (a partner is a
    profile of an organisation), or a building. `ends_on` is the last day it holds.
    """

    class Kind(models.TextChoices):
        CAPTAIN = "captain", _("Grid captain")
        BUILDING_CAPTAIN = "building_captain", _("Building captain")
        DISPATCHER = "dispatcher", _("Dispatcher")
        REVIEWER = "reviewer", _("Reviewer")
        BOOKKEEPER = "bookkeeper", _("Bookkeeper")
        STOREKEEPER = "storekeeper", _("Storekeeper")
        PARTNER_STAFF = "partner_staff", _("Partner staff")
        COUNCIL = "council", _("Council member")
        AUDITOR = "auditor", _("Auditor")
        ADMINISTRATOR = "administrator", _("Administrator")

    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="roles")
    kind = models.CharField(max_length=16, choices=Kind)
    community = models.ForeignKey(
        Community, null=True, blank=True, on_delete=models.PROTECT, related_name="roles"
    )
    cell = models.ForeignKey(
        Cell, null=True, blank=True, on_delete=models.PROTECT, related_name="roles"
    )
    organisation = models.ForeignKey(
        Organisation, null=True, blank=True, on_delete=models.PROTECT, related_name="roles"
    )
    building = models.ForeignKey(
        Building, null=True, blank=True, on_delete=models.PROTECT, related_name="roles"
    )
    starts_on = models.DateField()
    ends_on = models.DateField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="role_has_one_scope",
                condition=_one_of("community", "cell", "organisation", "building"),
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} · {self.scope}"

    @property
    def scope(self) -> Community | Cell | Organisation | Building:
        """The one thing that this role is over."""
        found = self.community or self.cell or self.organisation or self.building
        assert found is not None  # role_has_one_scope
        return found


class Proxy(models.Model):
    """`proxy` may book and pay for `member` (a daughter for her mother)."""

    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="proxies")
    proxy = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="acts_for")
    starts_on = models.DateField()
    ends_on = models.DateField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~Q(member=models.F("proxy")), name="nobody_is_their_own_proxy"
            )
        ]


class Skill(models.Model):
    """Something a shift can require, such as first aid."""

    code = models.SlugField(unique=True)
    name = models.CharField(max_length=80)

    def __str__(self) -> str:
        return self.name


class MemberSkill(models.Model):
    """A member has a skill until `expires_on` (its last day), or for good."""

    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="skills")
    skill = models.ForeignKey(Skill, on_delete=models.PROTECT, related_name="+")
    expires_on = models.DateField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["member", "skill"], name="skill_once")]


class Consent(models.Model):
    """A purpose that a member agreed to, in which words, and until when."""

    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="consents")
    purpose = models.CharField(max_length=40)
    text_version = models.CharField(max_length=20)
    given_at = models.DateTimeField()
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["member", "purpose"],
                condition=Q(withdrawn_at__isnull=True),
                name="one_open_consent_per_purpose",
            )
        ]


class GroupMember(models.Model):
    """A member of a chat group (a virtual cell); `left_at` ends it, and the row stays."""

    cell = models.ForeignKey(Cell, on_delete=models.PROTECT, related_name="group_members")
    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="groups")
    joined_at = models.DateTimeField()
    left_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["cell", "member"], condition=Q(left_at__isnull=True), name="in_a_group_once"
            )
        ]


class Estate(models.Model):
    """What a property firm looks after: a cell of kind estate, drawn over the geographic ones."""

    cell = models.OneToOneField(Cell, on_delete=models.PROTECT, related_name="estate")
    firm = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="estates")

    def __str__(self) -> str:
        return str(self.cell)


class EstateBuilding(models.Model):
    """A building belongs to at most one estate; the rows go when the estate retires."""

    estate = models.ForeignKey(Estate, on_delete=models.CASCADE, related_name="buildings")
    building = models.OneToOneField(Building, on_delete=models.PROTECT, related_name="in_estate")


class Upload(models.Model):
    """A file that an administrator sent and that was checked; gone a day later.

    `findings` holds what the check found, without words: each reader has a language.
    """

    class Kind(models.TextChoices):
        BUILDINGS = "buildings", _("Buildings")
        STREETS = "streets", _("Streets")
        BOUNDARIES = "boundaries", _("Boundaries of communities")
        MEMBERS = "members", _("Members")

    actor = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="+")
    community = models.ForeignKey(Community, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=12, choices=Kind)
    name = models.CharField(max_length=200)
    options: Any = models.JSONField(default=dict)
    content = models.BinaryField()
    findings: Any = models.JSONField(default=list)
    counts: Any = models.JSONField(default=dict)
    rows = models.PositiveIntegerField(default=0)
    good = models.BooleanField(default=False)
    result: Any = models.JSONField(null=True, blank=True)
    created_at = models.DateTimeField(db_index=True)
    done_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.name
