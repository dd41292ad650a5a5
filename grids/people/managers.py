"""How members are made."""

from typing import TYPE_CHECKING, Any

from django.contrib.auth.base_user import BaseUserManager

from common import clock

if TYPE_CHECKING:
    from grids.people.models import Member


class MemberManager(BaseUserManager["Member"]):
    """Creates members without a password."""

    def create_user(self, phone: str | None, display_name: str, **fields: Any) -> "Member":
        """Save a member; `phone` in E.164 or None."""
        member = self.model(
            phone=phone or None,
            display_name=display_name,
            **{"joined_at": clock.now(), **fields},
        )
        member.set_unusable_password()
        member.save(using=self._db)
        return member

    def create_superuser(self, phone: str, display_name: str, **fields: Any) -> "Member":
        """Save a platform administrator."""
        fields.pop("password", None)
        return self.create_user(
            phone, display_name, **{**fields, "is_staff": True, "is_superuser": True}
        )
