"""Sampled negatives: who may be drawn, how often, and that nothing else decides."""

import collections
import pathlib
import random

import numpy as np
import pytest
from scipy import stats

from components.click_log_example_gen.config import DataConfig
from components.click_log_example_gen.draw import Owned, Shelves, Units, draw
from components.click_log_example_gen.plan import check
from schemas.parsing import parse_schema
from tests.components.click_log_example_gen import staged
from tests.components.click_log_example_gen.conftest import MUST, SHOP, make_schema

SCHEMA = make_schema(
    ("request_id", "BYTES", MUST, "scope:request role:request_id"),
    ("user_id", "BYTES", "", "scope:request role:user_id"),
    ("timestamp", "INT", "int_domain { min: 0 }", "scope:request role:timestamp"),
    ("top", "BYTES", MUST, "scope:request role:category level:1"),
    ("sub", "BYTES", MUST, "scope:request role:category level:2"),
    ("item_id", "BYTES", MUST, "scope:item role:item_id role:categorical"),
    ("price", "FLOAT", "", "scope:item role:numeric"),
    ("bought", "INT", "int_domain { min: 0 max: 1 }", "scope:item role:label"),
)
DATA = {
    "files": "log*.csv",
    "columns": {"request_id": ["user_id", "item_id", "timestamp"]},
    "constants": {"bought": 1},
    "split": {"by": "time", "fractions": {"train": 0.6, "valid": 0.2, "test": 0.2}},
    "tables": [{"files": "items.csv", "key": "id", "match": "item_id", "columns": {"c1": "c1", "c2": "c2"}}],
    "category_path": {"candidates": ["c1", "c2"]},
}
RANKS = {"train": 0, "valid": 1, "test": 2}


def purchases() -> list[tuple[str, int, str, float]]:
    """(user, time, item, price): few users, popular items, items bought again, items that appear late."""
    chance = random.Random(3)
    rows = []
    for time in range(600):
        new = 20 if time > 400 else 0
        item = min(int(chance.paretovariate(0.7)) + new * chance.randrange(2), 59)
        rows.append((f"u{chance.randrange(40)}", time, f"i{item}", 10.0 + time / 100))
    return rows


def shelf_of(item: str) -> tuple[str, str]:
    number = int(item[1:])
    return ("t0", "s9") if number == 59 else (f"t{number % 2}", f"s{number % 6}")  # the last has no other beside it


def write(folder: pathlib.Path, files: int = 1) -> None:
    rows = purchases()
    header = "user_id,timestamp,item_id,price\n"
    cuts = [len(rows) * i // files for i in range(files + 1)]
    for i in range(files):
        lines = [",".join(map(str, row)) for row in rows[cuts[i] : cuts[i + 1]]]
        (folder / f"log{i}.csv").write_text(header + "\n".join(lines) + "\n")
    items = [f"i{i},{','.join(shelf_of(f'i{i}'))}" for i in range(60)]
    (folder / "items.csv").write_text("id,c1,c2\n" + "\n".join(items) + "\n")


def plain(features, name: str) -> list:
    values = features[name]
    found = getattr(values, values.WhichOneof("kind")).value
    return [value.decode() if isinstance(value, bytes) else value for value in found]


def run(folder: pathlib.Path, partitions: int = 1, files: int = 1, **negatives) -> staged.Outcome:
    folder.mkdir()
    write(folder, files)
    return staged.run(str(folder), SCHEMA, partitions, **DATA, negatives=negatives)


def contents(outcome: staged.Outcome) -> dict[str, list]:
    """{request: [(item, bought, price)]} in the order of the items."""
    names = ("item_id", "bought", "price")
    return {
        plain(f, "request_id")[0]: list(zip(*(plain(f, name) for name in names), strict=True)) for f in outcome.requests
    }


def reference(level: int, exclude: str) -> dict[str, set[str]]:
    """{request: items that may be drawn for it}, by hand: requests of one purchase each, in the order of time."""
    rows = purchases()
    cuts = [round(0.6 * len(rows)), round(0.8 * len(rows))]  # each time has one request
    rank = [sum(place >= cut for cut in cuts) for place in range(len(rows))]
    pool = {item for (_, _, item, _), r in zip(rows, rank, strict=True) if r == 0}
    eligible, had = {}, collections.defaultdict(set)
    for (user, time, item, _), r in zip(rows, rank, strict=True):
        own = {i for (u, _, i, _), s in zip(rows, rank, strict=True) if u == user and s <= r}
        forbidden = own if exclude == "user" else {item}
        if exclude == "request" or item not in had[user]:
            shelf = shelf_of(item)[:level]
            found = {i for i in pool if shelf_of(i)[:level] == shelf} - forbidden
            if found:
                eligible[f"{user}|{item}|{time}"] = found
        had[user].add(item)
    return eligible


@pytest.mark.parametrize(("level", "exclude"), [(1, "user"), (2, "user"), (2, "request")])
def test_only_items_of_the_shelf_that_the_user_never_had(tmp_path, level, exclude):
    outcome = run(tmp_path / "log", level=level, exclude=exclude, per_positive=3)
    eligible, found = reference(level, exclude), contents(outcome)
    assert set(found) == set(eligible)
    short = 0
    for request, items in found.items():
        sampled = [item for item, bought, _ in items if not bought]
        assert [item for item, bought, _ in items if bought] == [request.split("|")[1]]
        assert len(set(sampled)) == len(sampled) == min(3, len(eligible[request]))
        assert set(sampled) <= eligible[request]
        short += len(sampled) < 3
    assert short > 0 or level == 1
    assert outcome.report["requests_short"] == short
    assert sum(outcome.report["items_sampled"].values()) == sum(map(len, found.values())) - len(found)
    assert outcome.read == outcome.kept + outcome.quarantined == 600
    assert outcome.kept == len(found)
    assert ("repeated_item" in outcome.reasons) == (exclude == "user")
    assert ("too_few_items" in outcome.reasons) == (level == 2)
    again = [bad["row"].split(",") for bad in outcome.bad if bad["reason"] == "repeated_item"]
    assert all(
        any(p[0] == user and p[2] == item and p[1] < int(time) for p in purchases()) for user, time, item, _ in again
    )


def test_a_level_above_the_deepest_leaves_nothing_of_the_positive_s_own(tmp_path):
    outcome = run(tmp_path / "log", level=1)
    assert {tuple(plain(f, name)[0] for name in ("top", "sub")) for f in outcome.requests} == {
        ("t0", "t0"),
        ("t1", "t1"),
    }


def test_an_item_s_features_are_those_of_its_first_row_bought_or_drawn(tmp_path):
    first = {}
    for _, _, item, price in purchases():
        first.setdefault(item, np.float32(price))
    found = contents(run(tmp_path / "log", per_positive=2))
    assert all(price == first[item] for items in found.values() for item, _, price in items)


def test_the_same_whatever_divides_the_work(tmp_path, monkeypatch):
    one = contents(run(tmp_path / "one"))
    monkeypatch.setattr("components.click_log_example_gen.sources.read_lines.__defaults__", (500,))
    assert contents(run(tmp_path / "many", partitions=7, files=3)) == one
    assert contents(run(tmp_path / "other", seed=2)) != one


def test_under_beam_and_in_the_summary(tmp_path, ingest):
    staged_one = contents(run(tmp_path / "one"))
    write(tmp_path / "log", files=2)
    result = ingest(SCHEMA, **DATA, negatives={})
    names = ("item_id", "bought", "price")
    assert {
        name: list(zip(*(request[n] for n in names), strict=True)) for name, request in result.all.items()
    } == staged_one
    found = result.summary["negatives"]
    assert found["mark"] == "negatives are sampled: 4 a positive from the same c2"
    sampled = {split: sum(r["bought"].count(0) for r in requests) for split, requests in result.requests.items()}
    assert found["items_sampled"] == sampled
    assert result.summary["rows_read"] == result.summary["rows_in_requests"] + result.summary["rows_quarantined"]
    assert {path.name for path in pathlib.Path(result.uri).iterdir()} == {
        "summary.json", "rows-00000.jsonl.gz", "rows-00001.jsonl.gz"}  # fmt: skip


def test_several_positives_and_a_limit(tmp_path):
    """A basket is a request: its items are never drawn for each other, and `max_items` is kept."""
    (tmp_path / "log").mkdir()
    write(tmp_path / "log")
    data = DATA | {"columns": {"request_id": "user_id"}, "split": {"by": "request"}, "max_items": 20}
    outcome = staged.run(
        str(tmp_path / "log"), SCHEMA, **data, duplicate_items="merge", negatives={"exclude": "request"}
    )
    sizes = {name: (len(items), sum(b for _, b, _ in items)) for name, items in contents(outcome).items()}
    assert max(size for size, _ in sizes.values()) == 20
    for items in contents(outcome).values():
        assert len({item for item, _, _ in items}) == len(items)
    assert outcome.read == outcome.kept + outcome.quarantined


@pytest.mark.parametrize("size", [20, 400], ids=["looked at as a whole", "drawn one by one"])
def test_drawn_in_proportion_to_the_weights(size):
    weights = np.arange(size, dtype=float) ** 0.75
    shelves = Shelves(np.arange(size), weights)
    units = 40_000
    key = np.random.default_rng(1).integers(0, 2**63, units).astype(np.uint64)
    zeros = np.zeros(units, np.int64)
    request = Units(key, zeros, zeros + size, zeros + (4 if size == 20 else 1), np.arange(units), zeros)
    unit, row = draw(shelves, request, Owned(np.zeros(1, np.int64), np.array([size - 1]), np.zeros(1, np.int64)))
    assert np.bincount(unit, minlength=units).min() == request.wanted[0]
    assert not ((unit == 0) & (row == size - 1)).any()
    if size == 20:  # how often each is among the four, by drawing one after the other in plain Python
        chance, expected = random.Random(5), np.zeros(size)
        for _ in range(units):
            left = dict(enumerate(weights))
            for _ in range(4):
                [drawn] = chance.choices(list(left), list(left.values()))
                del left[drawn]
                expected[drawn] += 1
        observed = np.bincount(row, minlength=size)
        assert observed[0] == 0
        assert stats.chi2_contingency(np.stack([observed[1:], expected[1:]])).pvalue > 1e-3
    else:
        observed = np.bincount(row, minlength=size)[1:]
        assert stats.chisquare(observed, weights[1:] / weights.sum() * units).pvalue > 1e-3


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"negatives": {"per_positive": 0}}, "greater than or equal to 1"),
        ({"negatives": {"smoothing": 2}}, "less than or equal to 1"),
        ({"negatives": {"level": 3}}, r"`data.negatives.level` must be in \[1, 2\], the schema's levels. Received: 3"),
        ({"negatives": {"per_positive": 200}}, "`data.negatives.per_positive` must be below max_items=200"),
        ({"negatives": {}, "layout": "requests"}, "`data.negatives` needs `data.layout: impressions`"),
        ({"negatives": {"n": 4}}, "Extra inputs"),
    ],
)
def test_refused(data, message):
    with pytest.raises(ValueError, match=message):
        check(DataConfig.model_validate(data), parse_schema(SCHEMA))


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        (
            SCHEMA.replace("role:user_id", "role:hidden"),
            "`data.negatives.exclude: user` needs a feature of role:user_id",
        ),
        (
            SHOP + make_schema(("place", "INT", "", "scope:item role:position")).partition("\n")[2],
            "an item that is sampled was shown nowhere, so it has no 'place'",
        ),
    ],
)
def test_a_schema_that_negatives_do_not_fit(schema, message):
    with pytest.raises(ValueError, match=message):
        check(DataConfig.model_validate({"negatives": {}}), parse_schema(schema))
