"""Draws items from shelves, by weight and without replacement; the same draw wherever and in whatever order it is made.

Chance comes from a hash of (unit, counter), so a unit's draw depends on nothing but its key, its shelf and its owner.
"""

import dataclasses

import numpy as np

_FEW = 8  # a shelf of up to so many times what is wanted is looked at as a whole
_ATTEMPTS = 8  # draws for each item wanted, before the whole shelf is looked at
_ROWS = 1 << 20  # of shelves that are looked at as a whole at once
_WHOLE = np.uint64(1 << 40)  # where the counters of whole shelves begin, far from those of single draws


@dataclasses.dataclass(frozen=True)
class Shelves:
    """Items by shelf.

    Attributes:
      item: int64 [rows], each row's item; the rows of a shelf stand together.
      weight: float64 [rows], 0 for what is never drawn.
    """

    item: np.ndarray
    weight: np.ndarray


@dataclasses.dataclass(frozen=True)
class Units:
    """What is to be drawn: one unit takes some items of one shelf for one owner.

    Attributes:
      key: uint64 [units], what chance depends on.
      start, end: int64 [units], the shelf's rows.
      wanted: int64 [units], how many items.
      owner, rank: int64 [units], see `Owned`.
    """

    key: np.ndarray
    start: np.ndarray
    end: np.ndarray
    wanted: np.ndarray
    owner: np.ndarray
    rank: np.ndarray

    def take(self, index: np.ndarray) -> "Units":
        """Some of the units."""
        return Units(**{field.name: getattr(self, field.name)[index] for field in dataclasses.fields(self)})


class Owned:
    """Which items an owner has had, and from which split on.

    Args:
      owner, item, rank: int64 [pairs]; the rank orders the splits: what is of a later one is not known in an earlier.
    """

    def __init__(self, owner: np.ndarray, item: np.ndarray, rank: np.ndarray):
        self._items = int(item.max(initial=0)) + 1
        key = owner * self._items + item
        order = np.lexsort((rank, key))
        first = np.flatnonzero(np.diff(key[order], prepend=-1))
        self._key, self._rank = key[order][first], rank[order][first]

    def has(self, owner: np.ndarray, item: np.ndarray, rank: np.ndarray) -> np.ndarray:
        """bool [pairs]: whether the owner has had the item up to the split of this rank."""
        if not len(self._key):
            return np.zeros(len(owner), bool)
        key = owner * self._items + item
        place = np.minimum(np.searchsorted(self._key, key), len(self._key) - 1)
        return (item < self._items) & (self._key[place] == key) & (self._rank[place] <= rank)


def uniform(keys: np.ndarray, counters: np.ndarray) -> np.ndarray:
    """float64 in [0, 1) of each (key, counter), both uint64: splitmix64 (Steele, Lea, Flood, OOPSLA 2014)."""
    x = keys + (counters + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((x ^ (x >> np.uint64(31))) >> np.uint64(11)) * 2.0**-53


def draw(shelves: Shelves, units: Units, owned: Owned) -> tuple[np.ndarray, np.ndarray]:
    """Draws for all units, one item after the other in proportion to the weights of those that are left.

    Returns:
      (unit, row), int64 [items drawn] each, by unit; fewer than wanted where the shelf has no more that the owner has
      not had.
    """
    edges = np.concatenate([[0.0], np.cumsum(shelves.weight)])
    low, high = edges[units.start], edges[units.end]
    chosen = np.full((len(units.key), int(units.wanted.max(initial=0))), -1, np.int64)
    got = np.zeros(len(units.key), np.int64)
    whole = (units.end - units.start <= _FEW * units.wanted) | (high <= low)
    for attempt in range(_ATTEMPTS * chosen.shape[1]):
        left = np.flatnonzero((got < units.wanted) & ~whole)
        if not len(left):
            break
        chance = uniform(units.key[left], np.full(len(left), attempt, np.uint64))
        row = np.searchsorted(edges, low[left] + chance * (high - low)[left], side="right") - 1
        row = np.minimum(row, units.end[left] - 1)  # rounding may have gone past the shelf's end
        good = (shelves.weight[row] > 0) & (chosen[left] != row[:, None]).all(1)
        good &= ~owned.has(units.owner[left], shelves.item[row], units.rank[left])
        chosen[left[good], got[left[good]]] = row[good]
        got[left[good]] += 1
    unit, place = np.nonzero(chosen >= 0)
    found = [(unit, chosen[unit, place])]
    left = np.flatnonzero(got < units.wanted)
    sizes = (units.end - units.start)[left]
    for part in np.split(left, np.flatnonzero(np.diff(np.cumsum(sizes) // _ROWS)) + 1):
        found.append(_of_whole_shelves(shelves, units, owned, part, chosen))
    unit, row = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
    order = np.argsort(unit, kind="stable")
    return unit[order], row[order]


def _of_whole_shelves(shelves, units, owned, index, chosen) -> tuple[np.ndarray, np.ndarray]:
    """The rest of what some units want: each item of the shelf draws a time, exponential with its weight, and the
    first ones win, which is drawing one after the other (Efraimidis, Spirakis, IPL 2006)."""
    mine = units.take(index)
    sizes = mine.end - mine.start
    unit = np.repeat(np.arange(len(index)), sizes)
    row = np.arange(len(unit)) - np.repeat(np.cumsum(sizes) - sizes, sizes) + mine.start[unit]
    free = (shelves.weight[row] > 0) & ~owned.has(mine.owner[unit], shelves.item[row], mine.rank[unit])
    free &= (chosen[index][unit] != row[:, None]).all(1)
    unit, row = unit[free], row[free]
    time = -np.log1p(-uniform(mine.key[unit], _WHOLE + row.astype(np.uint64))) / shelves.weight[row]
    order = np.lexsort((time, unit))
    unit, row = unit[order], row[order]
    first = np.searchsorted(unit, unit)
    wanted = mine.wanted - (chosen[index] >= 0).sum(1)
    keep = np.arange(len(unit)) - first < wanted[unit]
    return index[unit[keep]], row[keep]
