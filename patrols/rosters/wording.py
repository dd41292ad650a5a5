"""Why a seat stays open or was left out, in words."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _


def reason_text(why: Mapping[str, Any]) -> str:
    """Say why a plan leaves a seat open; `why` has `code` and the solver's head counts."""
    texts = {
        "nobody_has_skill": _("None of the %(eligible)s people of these cells has the skill."),
        "nobody_available": _("None of the %(skilled)s people who could do it is free then."),
        "all_at_limit": _(
            "%(at_limit)s of the %(available)s free people have reached their weekly limit."
        ),
        "all_would_overlap_or_lack_rest": _(
            "%(overlap_or_rest)s of the %(available)s free people have another shift or need rest."
        ),
        "all_kept_apart": _("%(apart)s of the %(available)s free people don't go in this team."),
        "not_worth_it": _("%(free)s people could come, but their wishes speak against it."),
        "no_time_left": _("%(free)s people could come; the time for planning was up."),
    }
    text = texts.get(why.get("code", ""))
    if text is None:
        return ""
    try:
        return text % why
    except KeyError:
        return str(why.get("code", ""))


def skipped_text(reason: str) -> str:
    """Say why applying a plan left a seat out."""
    return {
        "seat_taken": _("Somebody else has taken the seat."),
        "shift_cancelled": _("The shift was cancelled."),
        "shift_started": _("The shift has started."),
        "member_gone": _("The member is no longer active."),
        "already_claimed": _("The member has a seat in this shift."),
        "overlapping_shift": _("The member has another shift at the same time."),
        "rest_too_short": _("The member would have too little rest."),
        "missing_skill": _("The member no longer has the skill."),
    }.get(reason, reason)


def replacement_text(reason: str) -> str:
    """Say what speaks for or against asking somebody."""
    return {
        "home_cell": _("Lives in this cell"),
        "neighbouring_cell": _("Lives next door"),
        "available": _("Free then"),
        "not_available": _("Did not say they are free then"),
        "has_skills": _("Has the skills"),
        "experienced": _("Experienced"),
        "at_weekly_limit": _("Has reached their weekly limit"),
    }.get(reason, reason)
