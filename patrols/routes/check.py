"""Check tours against their problem, sharing no code with what made them."""

from __future__ import annotations

from collections import Counter

from patrols.routes.problem import Answer, Problem

_CLOSE = 1e-4


def faults(problem: Problem, answer: Answer) -> list[str]:
    """Return what is wrong with an answer, in words; an empty list where nothing is."""
    found = []
    served: Counter[int] = Counter()
    total = 0.0
    for number, tour in enumerate(answer.tours, start=1):
        here, cost, load = problem.depot, 0.0, 0.0
        for step in tour.steps:
            if not 0 <= step.edge < len(problem.edges):
                found.append(f"tour {number} walks an edge that does not exist")
                break
            edge = problem.edges[step.edge]
            start, end = (edge.u, edge.v) if step.forward else (edge.v, edge.u)
            if start != here:
                found.append(f"tour {number} jumps from node {here} to {start}")
            here = end
            cost += edge.cost
            if step.serves:
                served[step.edge] += 1
                load += edge.demand
        if here != problem.depot:
            found.append(f"tour {number} ends at node {here}, not at the depot")
        if abs(cost - tour.cost) > _CLOSE:
            found.append(f"tour {number} costs {cost}, not {tour.cost} as it says")
        if abs(load - tour.load) > _CLOSE:
            found.append(f"tour {number} carries {load}, not {tour.load} as it says")
        if problem.capacity is not None and load > problem.capacity + _CLOSE:
            found.append(f"tour {number} carries {load}, above {problem.capacity}")
        if problem.limit is not None and cost > problem.limit + _CLOSE:
            found.append(f"tour {number} is {cost} long, above {problem.limit}")
        total += cost
    if abs(total - answer.cost) > _CLOSE * max(1, len(answer.tours)):
        found.append(f"all tours cost {total}, not {answer.cost} as they say")
    for number, edge in enumerate(problem.edges):
        times = served[number]
        if edge.required and times == 0 and number not in answer.unreached:
            found.append(f"edge {number} is not served")
        if times > 1:
            found.append(f"edge {number} is served {times} times")
        if times and not edge.required:
            found.append(f"edge {number} is served but needs no service")
        if times and number in answer.unreached:
            found.append(f"edge {number} is served and said to be out of reach")
    if problem.vehicles is not None and len(answer.tours) > problem.vehicles:
        found.append(f"{len(answer.tours)} tours, above {problem.vehicles}")
    if answer.cost < answer.bound - _CLOSE:
        found.append(f"the cost {answer.cost} is below the bound {answer.bound}")
    return found
