"""What is odd in a log's category paths: the report of a `models.inputs.hierarchy.CategoryHierarchy`.

None of it breaks anything, since names stand for one level each. ``report.json`` holds

=============  ========================================================================================
``requests``   how many were counted
``dropped``    per level and reason ("empty", "line break", "below min_count") the names without an id
``conflicts``  children under several parents: ``level``, ``child``, ``requests``, ``parents`` with their
               requests, and the ``choice``: the parent it was given, or null when it became one node a parent
``orphans``    known children none of whose parents is known: ``level``, ``child``, ``requests``, ``parents``
``cycles``     names that are their own ancestors, as in A > B and B > A: ``names``, ``requests``
=============  ========================================================================================

Lists are ordered by requests descending and cut after `LIMIT` entries; ``total`` counts all.
"""

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

LIMIT = 100


def capped(entries: list[dict[str, Any]]) -> dict[str, Any]:
    """The total and the first `LIMIT` of entries that have ``requests``, most requests first."""
    return {"total": len(entries), "first": sorted(entries, key=lambda entry: -entry["requests"])[:LIMIT]}


def names(counts: Mapping[str, int]) -> dict[str, Any]:
    """How many names, how many requests, and the first `LIMIT` of them with their requests."""
    return {"total": len(counts), "requests": sum(counts.values()), "first": _first(counts)}


def conflicts(
    level: int,
    nodes: Mapping[str, Iterable[str]],
    parents: Mapping[str, Mapping[str, int]],
    choices: Mapping[str, str | None],
) -> list[dict[str, Any]]:
    """The names of ``level`` that stand under several parents.

    Args:
      level: from 2.
      nodes: name -> its keys.
      parents: key -> parent's key ("" for none) -> requests.
      choices: known key -> the parent's key it was given, None for none.
    """
    found = []
    for name in sorted(nodes):
        known = sorted(key for key in nodes[name] if key in choices)
        under = Counter()
        for key in known:
            under.update({parent: count for parent, count in parents[key].items() if parent})
        if len(under) > 1:
            choice = choices[known[0]] if len(known) == 1 else None
            found.append({**_child(level, name, under), "choice": choice})
    return found


def orphans(
    level: int, parents: Mapping[str, Mapping[str, int]], choices: Mapping[str, str | None]
) -> list[dict[str, Any]]:
    """The known keys of ``level`` that were given no parent; arguments as for `conflicts`."""
    return [_child(level, key, parents[key]) for key in sorted(choices) if choices[key] is None]


def cycles(paths: Mapping[tuple[str, ...], int]) -> list[dict[str, Any]]:
    """The sets of names that are each other's ancestors, over all levels and paths.

    They are the strongly connected components of the graph with an edge from each name to the next below it, found
    by Kosaraju's two searches: backwards in the order in which the forward search finishes.
    """
    forward, backward, requests = defaultdict(set), defaultdict(set), Counter()
    for path in sorted(paths):
        chain = [name for name in path if name]
        for parent, child in itertools.pairwise(chain):
            forward[parent].add(child)
            backward[child].add(parent)
            requests[parent, child] += paths[path]
    finished, seen = [], set()
    for name in sorted(forward):
        finished += _search(name, forward, seen)
    component = {}
    seen = set()
    for name in reversed(finished):
        component.update(dict.fromkeys(_search(name, backward, seen), name))
    members, inside = defaultdict(list), Counter()
    for name in sorted(component):
        members[component[name]].append(name)
    for (parent, child), count in requests.items():
        if component[parent] == component[child]:
            inside[component[parent]] += count
    return [
        {"names": members[root][:LIMIT], "total": len(members[root]), "requests": inside[root]}
        for root in sorted(inside)
    ]


def _search(start: str, edges: Mapping[str, set[str]], seen: set[str]) -> list[str]:
    """Depth-first from ``start`` over unseen names; the names in the order in which they are finished."""
    finished, stack = [], [(start, None)]
    while stack:
        name, below = stack.pop()
        if below is None:
            if name in seen:
                continue
            seen.add(name)
            below = iter(sorted(edges.get(name, ())))
        for child in below:
            if child not in seen:
                stack += [(name, below), (child, None)]
                break
        else:
            finished.append(name)
    return finished


def _child(level: int, child: str, parents: Mapping[str, int]) -> dict[str, Any]:
    return {"level": level, "child": child, "requests": sum(parents.values()), "parents": _first(parents)}


def _first(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:LIMIT]
