"""Says why a seat stays open, and why a seat went to whom it went."""

from __future__ import annotations

from collections import Counter, defaultdict

from patrols.rosters.compiled import Compiled, covering
from patrols.rosters.plan import Plan
from patrols.rosters.problem import MemberSpec, Problem, SeatSpec
from patrols.rosters.solution import OpenSeat, Reason, ReasonCode, Why


def open_seats(
    problem: Problem, compiled: Compiled, plan: Plan, seats: dict[int, int], *, cut_off: bool
) -> tuple[OpenSeat, ...]:
    """Give each seat without a member the reason that held back most of those who might come."""
    groups = {seat: at for at, group in enumerate(compiled.groups) for seat in group.seats}
    edges: dict[int, list[int]] = defaultdict(list)
    empty = {groups[seat.id] for seat in problem.seats if seat.id not in seats}
    if not empty:
        return ()
    for edge, group in enumerate(compiled.edge_group):
        if group in empty:
            edges[group].append(edge)
    windows: dict[int, list[tuple[int, int]]] = {}
    reasons: dict[int, Reason] = {}
    found = []
    for seat in problem.seats:
        if seat.id in seats:
            continue
        group = groups[seat.id]
        if group not in reasons:
            reasons[group] = _reason(
                compiled, plan, seat, group, edges[group], windows, cut_off=cut_off
            )
        found.append(OpenSeat(seat=seat.id, reason=reasons[group]))
    return tuple(found)


def _reason(
    compiled: Compiled,
    plan: Plan,
    seat: SeatSpec,
    group: int,
    edges: list[int],
    windows: dict[int, list[tuple[int, int]]],
    *,
    cut_off: bool,
) -> Reason:
    team = plan.team[compiled.groups[group].shift]
    eligible = skilled = 0
    standing: Counter[str] = Counter()
    limits: set[int | None] = set()
    asked = {compiled.edge_member[edge]: edge for edge in edges}
    for who, member in enumerate(compiled.members):
        if not _walks(member.spec, seat.cell_id):
            continue
        eligible += 1
        if not seat.skills <= member.spec.skills:
            continue
        skilled += 1
        if who not in windows:
            windows[who] = covering(member.spec.available)
        start, end = int(seat.starts_at.timestamp()), int(seat.ends_at.timestamp())
        if who in team or not any(a <= start and end <= b for a, b in windows[who]):
            continue
        if who in asked:
            obstacle = plan.obstacle(asked[who]) or "free"
        else:
            # Settled before the search: a locked team-mate, a limit used up, or a held shift.
            obstacle = _settled(compiled, who, team)
        standing[obstacle] += 1
        if obstacle == "at_limit":
            limits.add(member.spec.most_shifts)
    if eligible and not skilled:
        return Reason("nobody_has_skill", {"eligible": eligible})
    available = sum(standing.values())
    if not available:
        return Reason("nobody_available", {"eligible": eligible, "skilled": skilled})
    data = {
        "available": available,
        **{name: standing[name] for name in ("at_limit", "overlap_or_rest", "apart", "free")},
    }
    codes: dict[str, ReasonCode] = {
        "at_limit": "all_at_limit",
        "overlap_or_rest": "all_would_overlap_or_lack_rest",
        "apart": "all_kept_apart",
    }
    if standing["free"]:
        return Reason("no_time_left" if cut_off else "not_worth_it", data)
    first = max(codes, key=lambda name: standing[name])
    if first == "at_limit" and len(limits) == 1 and (limit := limits.pop()) is not None:
        data["limit"] = limit
    return Reason(codes[first], data)


def _walks(spec: MemberSpec, cell: int | None) -> bool:
    return cell is None or cell == spec.home_cell or cell in spec.other_cells


def _settled(compiled: Compiled, who: int, team: set[int]) -> str:
    member = compiled.members[who]
    if compiled.apart.get(who, frozenset()) & team:
        return "apart"
    most = member.spec.most_shifts
    if most is not None and member.carried >= most:
        return "at_limit"
    return "at_limit" if member.minutes_left == 0 else "overlap_or_rest"


def why(problem: Problem, seats: dict[int, int]) -> dict[int, Why]:
    """Return what spoke for each assignment."""
    members = {member.id: member for member in problem.members}
    return {
        seat.id: Why(
            wish=members[seats[seat.id]].wishes.get(seat.shift_id, 0),
            home_cell=seat.cell_id is None or seat.cell_id == members[seats[seat.id]].home_cell,
            load=members[seats[seat.id]].past_load,
            locked=seat.locked is not None,
        )
        for seat in problem.seats
        if seat.id in seats
    }
