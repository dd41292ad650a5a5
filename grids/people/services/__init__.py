"""Verbs about people: each needs an open unit of work (see docs/one-write.md)."""

from grids.people.services.erasure import erase_member
from grids.people.services.estates import (
    InAnotherEstate,
    change_estate,
    create_estate,
    retire_estate,
)
from grids.people.services.groups import (
    GroupFull,
    InGroup,
    NotInGroup,
    add_to_group,
    create_group,
    join_group,
    leave_group,
    remove_from_group,
    rename_group,
    renew_link,
    retire_group,
)
from grids.people.services.members import (
    Duplicates,
    ImportRefused,
    MembersImported,
    Plan,
    import_members,
    plan_members,
)
from grids.people.services.profile import (
    give_consent,
    set_language,
    update_profile,
    withdraw_consent,
)
from grids.people.services.proxies import add_proxy, end_proxy
from grids.people.services.roles import grant_role, revoke_role
from grids.people.services.sign_in import (
    CODE_LIVES,
    CodeExpired,
    WrongCode,
    issue_token,
    request_code,
    revoke_token,
    sign_in_with_code,
    sign_out_everywhere,
)
from grids.people.services.uploads import UploadDone, UploadRefused, apply_upload, keep_upload

__all__ = [
    "CODE_LIVES",
    "CodeExpired",
    "Duplicates",
    "GroupFull",
    "ImportRefused",
    "InAnotherEstate",
    "InGroup",
    "MembersImported",
    "NotInGroup",
    "Plan",
    "UploadDone",
    "UploadRefused",
    "WrongCode",
    "add_proxy",
    "add_to_group",
    "apply_upload",
    "change_estate",
    "create_estate",
    "create_group",
    "end_proxy",
    "erase_member",
    "give_consent",
    "grant_role",
    "import_members",
    "issue_token",
    "join_group",
    "keep_upload",
    "leave_group",
    "plan_members",
    "remove_from_group",
    "rename_group",
    "renew_link",
    "request_code",
    "retire_estate",
    "retire_group",
    "revoke_role",
    "revoke_token",
    "set_language",
    "sign_in_with_code",
    "sign_out_everywhere",
    "update_profile",
    "withdraw_consent",
]
