import collections
import csv
import itertools
import math
import pathlib

import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest

from pipeline.simulation import shelves, shop, traffic
from pipeline.simulation import simulate as simulate_module
from pipeline.simulation.simulate import simulate
from schemas.parsing import read_schema

ROWS = 30_000
SCHEMA = pathlib.Path(__file__).parents[2] / "schemas" / "demo.pbtxt"


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """The log as Python reads it (all values text), its folder, and what `simulate` returned."""
    out = tmp_path_factory.mktemp("log")
    # Several files, so that histories have to be carried from one to the next.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulate_module, "ROWS_A_FILE", 7_000)
        figures = simulate(out, ROWS, seed=1)
    rows = []
    for path in sorted(out.iterdir()):
        with open(path, encoding="utf-8", newline="") as file:
            rows += csv.DictReader(file)
    return rows, out, figures


def by_request(rows):
    requests = {}
    for row in rows:
        requests.setdefault(row["request_id"], []).append(row)
    return requests


def session_auc(requests, score):
    """In plain Python, pair by pair."""
    aucs = []
    for items in requests.values():
        clicked = [score(row) for row in items if row["click"] == "1"]
        others = [score(row) for row in items if row["click"] == "0"]
        if clicked and others:
            won = sum((a > b) + 0.5 * (a == b) for a in clicked for b in others)
            aucs.append(won / len(clicked) / len(others))
    return sum(aucs) / len(aucs)


def test_columns_and_values_are_the_schemas(log):
    rows, _, _ = log
    schema = read_schema(SCHEMA)
    assert list(rows[0]) == [feature.name for feature in schema.features]
    for feature in schema.features:
        values = [row[feature.name] for row in rows]
        if feature.required:
            assert all(values), feature.name
        if feature.dtype != "bytes":
            numbers = np.array([float(value) for value in values if value])
            assert np.isfinite(numbers).all(), feature.name
            assert feature.minimum is None or numbers.min() >= feature.minimum, feature.name
            assert feature.maximum is None or numbers.max() <= feature.maximum, feature.name
            assert feature.dtype == "float" or (numbers == numbers.round()).all(), feature.name


def test_requests_are_whole_and_in_order_of_time(log):
    rows, out, figures = log
    requests = by_request(rows)
    assert figures["files"] == len(list(out.iterdir())) == math.ceil(ROWS / 7_000)
    assert len(rows) == figures["rows"]
    assert ROWS <= len(rows) < ROWS + 40
    assert len(requests) == figures["requests"]
    assert [row["request_id"] for row in rows] == [name for name, items in requests.items() for _ in items]
    assert all(int(a["timestamp"]) <= int(b["timestamp"]) for a, b in itertools.pairwise(rows))
    names = [feature.name for feature in read_schema(SCHEMA).request_features]
    for items in requests.values():
        assert [int(row["position"]) for row in items] == list(range(1, len(items) + 1))
        assert 8 <= len(items) <= 40
        assert len({row["item_id"] for row in items}) == len(items)
        assert len({tuple(row[name] for name in names) for row in items}) == 1


def test_a_history_is_the_users_earlier_clicks(log):
    rows, _, _ = log
    brand = {row["item_id"]: row["brand"] for row in rows}
    clicked = collections.defaultdict(list)
    lengths = []
    for items in by_request(rows).values():
        user, timestamp = items[0]["user_id"], items[0]["timestamp"]
        expected = [item for time, item in clicked[user] if time != timestamp][-20:]
        assert items[0]["history_item"].split() == expected
        assert items[0]["history_brand"].split() == [brand[item] for item in expected]
        clicked[user] += [(timestamp, row["item_id"]) for row in items if row["click"] == "1"]
        lengths.append(len(expected))
    assert max(lengths) == 20
    assert lengths.count(0) > 0.2 * len(lengths)


def test_the_tree(log):
    rows, _, figures = log
    tops_of = collections.defaultdict(set)
    for row in rows:
        tops_of[row["sub_category"]].add(row["top_category"])
        assert row["sub_category"].startswith(row["top_category"] + "/")
    assert all(len(tops) == 1 for tops in tops_of.values())
    assert figures["top_categories"] == 12
    assert 140 <= figures["sub_categories"] <= 160
    names = [name for _, subs in shelves.category_tree() for name in subs]
    assert len(set(names)) == len(names)
    assert sum(not name.isascii() for name in names) >= 5


def test_traffic_is_skewed(log):
    rows, _, _ = log
    requests = collections.Counter(items[0]["sub_category"] for items in by_request(rows).values())
    counts = sorted(requests.values(), reverse=True)
    busiest = sum(counts[: len(counts) // 10])
    assert busiest > 0.35 * sum(counts)
    # The expected share of each shelf is the taste's, whatever its users' favourites are.
    taste = shop.make_taste(1)
    head = taste.subs[int(np.argmax(taste.traffic))]
    assert requests[head] / sum(counts) == pytest.approx(taste.traffic.max(), rel=0.35)


def test_what_can_be_learnt(log):
    rows, _, figures = log
    requests = by_request(rows)
    oracle = session_auc(requests, lambda row: float(row["true_click_probability"]))
    sales = session_auc(requests, lambda row: float(row["sales"]))
    position = session_auc(requests, lambda row: -int(row["position"]))
    known = figures["session_auc"].pop("known_click_probability")
    assert figures["session_auc"] == pytest.approx(
        {"true_click_probability": oracle, "sales": sales, "position": position}, abs=1e-4
    )
    assert 0.45 < sales < 0.65
    assert 0.85 < oracle < 0.92
    assert oracle > max(sales, position) + 0.1
    # What a model that knows nothing of users can learn is most of it, and not all.
    assert 0.002 < oracle - known < 0.02
    # The true probability is calibrated, and purchases are clicks.
    expected = sum(float(row["true_click_probability"]) for row in rows)
    assert figures["clicks"] == sum(row["click"] == "1" for row in rows) == pytest.approx(expected, rel=0.06)
    assert 0.1 < figures["click_rate"] < 0.2
    assert all(row["click"] == "1" for row in rows if row["purchase"] == "1")
    assert 0 < figures["purchases"] < 0.3 * figures["clicks"]


def test_most_items_are_shown_a_few_times_only(log):
    rows, _, _ = log
    shown = collections.Counter(row["item_id"] for row in rows)
    assert np.median(list(shown.values())) <= 3


def test_values_are_missing(log):
    rows, _, _ = log
    for name in ("price", "rating"):
        assert 0.005 < sum(row[name] == "" for row in rows) / len(rows) < 0.2


def variance_within_and_between_tops(taste):
    """Mean squared distance of the subs' motives from their top's mean, and of the tops' means from 0."""
    means = np.stack([taste.motives[taste.top_of == top].mean(axis=0) for top in range(len(taste.tops))])
    return np.square(taste.motives - means[taste.top_of]).sum(1).mean(), np.square(means).sum(1).mean()


@pytest.mark.parametrize("seed", [1, 2])
def test_tops_differ_in_taste_and_subs_inherit_it(seed):
    taste = shop.make_taste(seed)
    within, between = variance_within_and_between_tops(taste)
    assert within < 0.05 < 0.9 < between
    # Each motive and its opposite rules two tops: nothing that is good everywhere is left to learn.
    means = np.stack([taste.motives[taste.top_of == top].mean(axis=0) for top in range(12)])
    assert np.array_equal(np.sort(np.rint(means), axis=0), np.sort(np.rint(-means), axis=0))
    assert (np.abs(np.rint(means)).sum(axis=0) == 4).all()
    assert not np.array_equal(taste.motives, shop.make_taste(seed + 1).motives)


def test_without_category_taste_all_shelves_like_the_same():
    taste = shop.make_taste(1, category_taste=False)
    for values in (taste.motives, taste.appeal, taste.loyalty[:, None]):
        assert (values == values[0]).all()


def test_without_inheritance_a_top_tells_nothing_of_its_subs():
    taste, inherited = shop.make_taste(1, inheritance=False), shop.make_taste(1)
    within, between = variance_within_and_between_tops(taste)
    assert within > 0.8
    assert between < 0.25
    # The shelves are as different as before, and all else is the same.
    assert within + between == pytest.approx(sum(variance_within_and_between_tops(inherited)), rel=0.05)
    assert np.array_equal(taste.click_rate, inherited.click_rate)
    assert np.array_equal(taste.tier, inherited.tier)


def test_the_motives_of_a_pair_are_opposite_and_the_pairs_have_nothing_in_common():
    values = shop.motive_values(*np.random.default_rng(1).normal(size=(4, 100_000)))
    assert np.cov(values.T) == pytest.approx(np.eye(shop.MOTIVES), abs=0.1)
    # A linear model of the four numbers sees little of them.
    numbers = np.random.default_rng(1).normal(size=(4, 100_000))
    assert np.abs(np.corrcoef(numbers, values.T)[:4, 4:]).max() < 0.3


@pytest.mark.parametrize("switch", ["category_taste", "inheritance", "user_taste"])
def test_switches_change_the_log(tmp_path, switch):
    on, off = simulate(tmp_path / "on", 20_000), simulate(tmp_path / "off", 20_000, **{switch: False})
    first, second = (pd.read_csv(tmp_path / name / "impressions-00000.csv") for name in ("on", "off"))
    assert first["click"].tolist() != second["click"].tolist()
    for column in ("timestamp", "user_id", "sub_category"):
        assert first[column].equals(second[column]), column
    unknown = {
        name: figures["session_auc"]["true_click_probability"] - figures["session_auc"]["known_click_probability"]
        for name, figures in (("on", on), ("off", off))
    }
    assert unknown["on"] > 0.003
    if switch == "user_taste":  # What is left is the items' own effect.
        assert unknown["off"] < 0.3 * unknown["on"]


def test_a_history_tells_how_price_sensitive_a_user_is(log):
    rows, _, _ = log
    users = traffic.make_requests(shop.make_taste(1), ROWS, 1)[1]
    tier = shop.make_taste(1).tier
    sensitivity, past = [], []
    for items in by_request(rows).values():
        brands = [int(name.removeprefix("brand-")) for name in items[0]["history_brand"].split()]
        if len(brands) >= 5:
            sensitivity.append(users.price_sensitivity[int(items[0]["user_id"][1:])])
            past.append(tier[brands].mean())
    assert np.corrcoef(sensitivity, past)[0, 1] > 0.1


def test_the_log_depends_on_rows_and_seed_alone(tmp_path):
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        simulate(tmp_path / name, 2_000, seed=seed)
    a, b, c = ((tmp_path / name / "impressions-00000.csv").read_bytes() for name in "abc")
    assert a == b != c


def test_parquet_holds_the_same(tmp_path):
    simulate(tmp_path / "csv", 2_000)
    simulate(tmp_path / "parquet", 2_000, format="parquet")
    table = pyarrow.parquet.read_table(tmp_path / "parquet" / "impressions-00000.parquet")
    text = pd.read_csv(
        tmp_path / "csv" / "impressions-00000.csv", keep_default_na=False, na_values={"price": "", "rating": ""}
    )
    pd.testing.assert_frame_equal(table.to_pandas(), text, check_dtype=False)
    assert table["price"].null_count == text["price"].isna().sum() > 0


def test_another_run_replaces_the_log_and_leaves_other_files(tmp_path, monkeypatch):
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / ".impressions-00000.csv.unfinished").write_text("half a fi")
    monkeypatch.setattr(simulate_module, "ROWS_A_FILE", 500)
    simulate(tmp_path, 2_000)
    assert len(list(tmp_path.iterdir())) == 5
    simulate(tmp_path, 300, format="parquet")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["impressions-00000.parquet", "notes.txt"]


def test_a_killed_run_leaves_no_log(tmp_path, monkeypatch):
    monkeypatch.setattr(simulate_module, "ROWS_A_FILE", 500)
    write = simulate_module._write
    written = []

    def dies_in_the_second_file(table, path, format):
        if written:
            path.write_text("half a fi")
            raise KeyboardInterrupt
        written.append(path)
        write(table, path, format)

    monkeypatch.setattr(simulate_module, "_write", dies_in_the_second_file)
    with pytest.raises(KeyboardInterrupt):
        simulate(tmp_path, 2_000)
    assert not list(tmp_path.glob("impressions-*"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rows": 0}, "`rows` must be at least 1. Received: rows=0"),
        ({"rows": 10, "seed": -1}, "`seed` must not be negative. Received: seed=-1"),
        ({"rows": 10, "format": "xml"}, "`format` must be one of csv, parquet. Received: format='xml'"),
    ],
)
def test_what_is_refused(tmp_path, arguments, message):
    with pytest.raises(ValueError) as error:  # noqa: PT011
        simulate(tmp_path / "out", **arguments)
    assert str(error.value) == message
    assert not (tmp_path / "out").exists()
