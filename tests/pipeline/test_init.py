"""init: from a log's head to a schema and a configuration that read it."""

import gzip
import json
import pathlib

import numpy as np
import pytest

from components.click_log_example_gen.splits import time_cuts
from pipeline.config import load_config
from pipeline.inspection.proposal import propose
from pipeline.inspection.sample import Unreadable, read_samples
from pipeline.inspection.write import write_config, write_files, write_schema
from pipeline.simulation.simulate import simulate
from tests.pipeline.commands import call

PROJECT = pathlib.Path(__file__).resolve().parents[2]


def proposed(log: pathlib.Path, folder: pathlib.Path, rows: int = 10_000, headers: tuple[str, ...] = ()):
    """(configuration, schema, proposal), as a run would read what is written."""
    found = propose(read_samples(log, rows, headers))
    (folder / "shop.pbtxt").write_text(write_schema(found, "shop", str(log)), encoding="utf-8")
    (folder / "shop.yaml").write_text(write_config(found, "shop", "shop.pbtxt", str(log)), encoding="utf-8")
    return *load_config(folder / "shop.yaml", data=str(log if log.is_dir() else log.parent)), found


def roles(schema) -> dict[str, tuple[str, frozenset]]:
    return {feature.name: (feature.scope, feature.roles) for feature in schema.features}


def test_the_demo_log_s_schema_is_found_again(tmp_path):
    simulate(tmp_path / "log", rows=4_000, seed=1)
    config, schema, _ = proposed(tmp_path / "log", tmp_path)
    _, expected = load_config(PROJECT / "pipeline/configs/demo.yaml", ["simulate.rows=4000"])
    found, wanted = roles(schema), roles(expected)
    # Only who made the log knows that this is the answer, and that the second label is not to be trained.
    del found["true_click_probability"], wanted["true_click_probability"]
    assert found == wanted
    assert [level.name for level in schema.categories] == [level.name for level in expected.categories]
    assert {f.name: f.options["of"] for f in schema.histories} == {f.name: f.options["of"] for f in expected.histories}
    assert config.data.split.by == "time"


def event(i: int) -> tuple[str, ...]:
    """Session, time, type, product, category, brand."""
    time = f"2026-05-{1 + i // 40:02} 10:00:{i % 60:02}"
    type = ("view", "cart", "purchase")[(i % 7 == 0) + (i % 13 == 0)]
    return f"s{i // 6}", time, type, f"p{i * 7 % 50}", f"top{i // 3 % 4}.leaf{i // 3 % 8}", f"b{i % 5}"


def test_events_of_sessions_become_requests_of_one_category(tmp_path):
    lines = [",".join(("user_session", "event_time", "event_type", "product_id", "category_code", "brand"))]
    lines += [",".join(event(i)) for i in range(240)]
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "events.csv.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    config, schema, found = proposed(tmp_path / "log", tmp_path)
    assert config.data.columns["request_id"] == ["user_session", "category_code"]
    assert config.data.grades == {"event_type": {"cart": 1, "purchase": 2, "view": 0}}
    assert config.data.timestamp_format == "%Y-%m-%d %H:%M:%S"
    assert config.data.category_path.column == "category_code"
    assert [level.name for level in schema.categories] == ["category_1", "category_2"]
    assert any("rows of several categories" in text for text in found.unsure)


def test_rows_with_lists_and_a_table_of_items(tmp_path):
    (tmp_path / "log").mkdir()
    rows = [
        {
            "query": f"q{i}",
            "candidates": [f"i{(i + j) % 20}" for j in range(4)],
            "clicks": [int(j == i % 4) for j in range(4)],
            "ts": 1_760_000_000 + i,
        }
        for i in range(60)
    ]
    names = {"candidates": "item_ids", "clicks": "click"}
    rows = [{names.get(key, key): value for key, value in row.items()} for row in rows]
    (tmp_path / "log" / "log.jsonl").write_text("\n".join(map(json.dumps, rows)))
    items = ["item_id,department,aisle,price"]
    items += [f"i{i},d{i // 10},a{i // 5},{i * 1.5}" for i in range(20)]
    (tmp_path / "log" / "items.csv").write_text("\n".join(items))
    config, schema, _ = proposed(tmp_path / "log", tmp_path)
    assert config.data.layout == "requests"
    assert config.data.columns["item_id"] == "item_ids"
    [table] = config.data.tables
    assert (table.files, table.key, table.match) == ("items.csv", "item_id", "item_id")
    assert config.data.category_path.candidates == ["department", "aisle"]
    assert "numeric" in schema["price"].roles


def _log(folder: pathlib.Path, header: str, row, count: int = 80) -> pathlib.Path:
    """A folder of a log: ``row(i)``, with four items to a request."""
    (folder / "log").mkdir()
    lines = [f"request_id,item_id,click,{header}"]
    lines += [f"r{i // 4},i{i % 12},{int(i % 4 == 0)},{row(i)}" for i in range(count)]
    (folder / "log" / "log.csv").write_text("\n".join(lines))
    return folder / "log"


@pytest.mark.parametrize(
    ("header", "row", "expected"),
    [
        (
            "date,timestamp",
            lambda i: f"{1_700_000_000 + i // 4},{1_600_000_000 + i}",
            {"timestamp": "date", "timestamp_2": "timestamp"},
        ),
        ("brand name,brand_name", lambda i: f"a{i % 3},b{i % 5}", {"brand_name_2": "brand name"}),
        (
            "brand*name,brand?name,brand_name_2",
            lambda i: f"a{i % 3},b{i % 5},c{i % 6}",
            {"brand_name": "brand*name", "brand_name_3": "brand?name"},
        ),
        (".hidden,-b", lambda i: f"a{i % 3},b{i % 5}", {"hidden": ".hidden", "b": "-b"}),
        (
            "top category,sub category,sub_category",
            lambda i: f"t{i % 2},s{i % 4},u{i % 5}",
            {"top_category": "top category", "sub_category_2": "sub category"},
        ),
    ],
)
def test_every_feature_has_a_name_of_its_own(tmp_path, header, row, expected):
    config, schema, _ = proposed(_log(tmp_path, header, row), tmp_path)
    assert config.data.columns == expected
    assert {feature.name for feature in schema.features} >= expected.keys()


def test_a_request_s_name_leaves_its_own_to_no_other_column(tmp_path):
    lines = ["search_id,request_id,item_id,click", *(f"s{i // 4},{i},i{i % 9},{int(i % 4 == 0)}" for i in range(80))]
    (tmp_path / "log.csv").write_text("\n".join(lines))
    config, schema, _ = proposed(tmp_path / "log.csv", tmp_path)
    assert config.data.columns == {"request_id": "search_id", "request_id_2": "request_id"}
    assert schema["request_id_2"].scope == "item"


def test_tables_of_the_same_columns_and_the_log_s_own(tmp_path):
    log = _log(tmp_path, "weight", lambda i: i)
    for table, columns in (("first", "weight,item_weight"), ("second", "item_weight,weight")):
        lines = [f"item_id,{columns}", *(f"i{i},{i * 1.5},{i / 2}" for i in range(12))]
        (log / f"{table}.csv").write_text("\n".join(lines))
    config, schema, _ = proposed(log, tmp_path)
    assert [table.columns for table in config.data.tables] == [
        {"item_weight": "weight", "item_item_weight": "item_weight"},
        {"item_item_weight_2": "item_weight", "item_weight_2": "weight"},
    ]
    assert config.data.columns == {}
    assert schema["weight"].scope == "item"


def test_no_hierarchy_and_no_time_are_said(tmp_path):
    lines = ["request_id,item_id,price,click", *(f"r{i // 4},i{i % 9},{i},{int(i % 4 == 0)}" for i in range(80))]
    (tmp_path / "log.csv").write_text("\n".join(lines))
    config, _, found = proposed(tmp_path / "log.csv", tmp_path)
    assert config.model.variant == "dnn"
    assert config.data.split.by == "request"
    assert any("no category was found" in text for text in found.unsure)
    assert any("there is no time" in text for text in found.unsure)


def baskets(folder: pathlib.Path, header: bool = True) -> None:
    """Purchases of 30 households, two of them twice, and the products: ids are numbers, as those of households."""
    (folder / "log").mkdir()
    rows = [f"{i % 30 + 1},{i // 3},{i * 7 % 60 + 1},{1_600_000_000 + i}.0,{i % 9}" for i in range(300)]
    names = ["household_id,basket_id,product_id,transaction_time,paid"] if header else []
    (folder / "log" / "sales.csv").write_text("\n".join([*names, *rows]))
    rows = [f"{i},d{i % 2},d{i % 2}c{i % 6},{i / 4},-1" for i in range(1, 61)]
    names = ["product_id,department,product_category,weight,origin"] if header else []
    (folder / "log" / "products.csv").write_text("\n".join([*names, *rows]))


def test_purchases_alone_get_negatives_from_their_shelf(tmp_path):
    baskets(tmp_path)
    config, schema, found = proposed(tmp_path / "log", tmp_path)
    data = config.data
    assert data.columns["request_id"] == ["basket_id", "product_id"]
    assert data.constants == {"purchase": 1}
    assert data.negatives.per_positive == 4
    assert data.negatives.level is None  # ten products in each product_category
    assert data.negatives.exclude == "user"
    [table] = data.tables
    assert (table.files, table.match) == ("products.csv", "item_id")  # households have the same numbers
    assert data.category_path.candidates == ["department", "product_category"]
    assert [level.name for level in schema.categories] == ["category_1", "category_2"]
    assert schema["paid"].scope == "item"
    assert data.history.build
    assert any("each row is taken for a positive" in text for text in found.unsure)
    assert any("of the rows are of an item that their user had before" in text for text in found.unsure)


def test_files_without_a_header_row(tmp_path):
    baskets(tmp_path, header=False)
    with pytest.raises(Unreadable, match=r"no header row: name its columns with --header=user_id,item_id"):
        propose(read_samples(tmp_path / "log", 1000))
    headers = (
        "household_id,basket_id,product_id,time,paid",
        "prod*=product_id,department,product_category,weight,origin",
    )
    config, _, found = proposed(tmp_path / "log", tmp_path, headers=headers[::-1])
    assert config.data.header == headers[0].split(",")
    assert config.data.tables[0].header == headers[1].partition("=")[2].split(",")
    assert any("sales.csv has no header row: the names household_id" in text for text in found.unsure)
    with pytest.raises(Unreadable, match=r"--header=a,b: no CSV or TSV file in .* has 2 columns"):
        read_samples(tmp_path / "log", 1000, ("a,b",))


def test_grades_without_a_zero_and_minus_one(tmp_path):
    lines = ["user_id,item_id,event_type,day,cat,income"]
    lines += [f"u{i // 20},i{i * 3 % 50},{i % 4 + 1},202606{i // 20 + 10},c{i % 7},{i % 5 - 1}" for i in range(160)]
    (tmp_path / "log.csv").write_text("\n".join(lines))
    config, _, found = proposed(tmp_path / "log.csv", tmp_path)
    assert config.data.grades == {"event_type": {"1": 0, "2": 1, "3": 2, "4": 3}}
    assert config.data.timestamp_format == "%Y%m%d"
    fractions = list(config.data.split.fractions.values())
    assert time_cuts(np.arange(8), np.ones(8), fractions).tolist() == [6, 7]  # of eight days, each undivided
    assert config.data.missing == {"income": ["-1"]}
    assert config.evaluation.max_calibration_error is None
    assert any("are to judge a model by: too few" in text for text in found.unsure)


def test_splits_of_different_rates_ask_for_no_calibration(tmp_path):
    lines = ["request_id,item_id,department,split,click"]
    for i in range(4000):
        split, n = ("train", 4) if i < 3000 else ("valid", 4) if i < 3400 else ("test", 10)
        lines.append(f"r{split}{i // n},i{i * 7 % 90},d{i // n % 9},{split},{int(i % n == 0)}")
    (tmp_path / "log.csv").write_text("\n".join(lines))
    config, _, found = proposed(tmp_path / "log.csv", tmp_path)
    assert config.data.split.by == "column"
    assert config.evaluation.max_calibration_error is None
    assert any("25% of the training rows are of interest, 10% of the test rows" in text for text in found.unsure)


WIDE = ",".join(f"c{i}" for i in range(10_000))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", r"log\.csv: is empty"),
        (b"\n1,2\n", "is empty, or its first line is"),
        (b"1,2,3\n4,5,6\n", r"no column looks like the item's name \(column_1: 1 to 4, .*--header="),
        (b"request_id,price,click\nr1,2,0\nr1,3,1\n", "no column looks like the item's name"),
        (b"item_id,click\ni1,0\ni2,1\n", "no column groups the rows into requests"),
        (b"item_id\ni1\ni2\n", "no column groups the rows into requests"),
        (b"request_id;item_id;click\nr1;i1;0\n", "is one column, 'request_id;item_id;click': .* not by ';'"),
        (b"request_id,item_id,item_id\nr1,i1,i2\n", r"log\.csv:1: the header names the column 'item_id' twice"),
        ("request_id,item_id,größe\n".encode("latin1"), r"log\.csv:1: the header cannot be read: .*must be UTF-8"),
        ("request_id,item_id,click\nr1,schön,0\nr1,i2,1\n".encode("latin1"), "50% of its rows are not UTF-8"),
        ("request_id,item_id,click\n".encode("utf-16"), "must be UTF-8"),
        (WIDE.encode(), r"has 10,000 columns, and init looks at no more than 2,000"),
        (b"x" * (1 << 25), "the header is longer than 16 MiB"),
        (b"request_id,item_id,click\n", "holds no row"),
    ],
)
def test_what_is_no_log_is_refused(tmp_path, text, message):
    (tmp_path / "log.csv").write_bytes(text)
    with pytest.raises(Unreadable, match=message):
        propose(read_samples(tmp_path / "log.csv", 100))


def test_a_byte_order_mark_and_a_huge_line_do_not_hinder(tmp_path):
    lines = ["\ufeffrequest_id,item_id,price,click", *(f"r{i // 4},i{i % 9},{i},{int(i % 4 == 0)}" for i in range(80))]
    lines.insert(9, "r2," + "x" * (1 << 18) + ",1,0")
    (tmp_path / "log.csv").write_text("\n".join(lines))
    _, schema, _ = proposed(tmp_path / "log.csv", tmp_path)
    assert schema.request_id.name == "request_id"


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--name=x/y"], "--name=x/y: must have at most 100 letters, digits, `_`, `.` and `-`, a letter or a digit"),
        ([f"--name={'a' * 101}"], f"--name={'a' * 101}: must have at most 100 letters"),
        (["--out=log.csv"], "--out=log.csv: cannot be written to: File exists; name a folder"),
        ([f"--out={'a' * 300}"], f"--out={'a' * 300}: cannot be written to: File name too long; name a folder"),
        ([f"--log={'a' * 300}"], f"{'a' * 300}: there is no such file or folder"),
    ],
)
def test_where_nothing_can_be_written_the_verb_names_the_flag(tmp_path, flags, said):
    lines = ["request_id,item_id,click", *(f"r{i // 4},i{i % 9},{int(i % 4 == 0)}" for i in range(40))]
    (tmp_path / "log.csv").write_text("\n".join(lines))
    done = call("init", "--log=log.csv", *flags, folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(said)
    assert [path.name for path in tmp_path.rglob("*")] == ["log.csv"]


def test_files_are_written_all_or_none(tmp_path):
    (tmp_path / "there").write_text("before")
    with pytest.raises(FileExistsError):
        write_files({tmp_path / "new": "text", tmp_path / "there": "text"})
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"there": "before"}


def test_the_verb_writes_once_and_its_command_runs(tmp_path):
    simulate(tmp_path / "log", rows=3_000, seed=1)
    flags = [f"--log={tmp_path / 'log'}", f"--out={tmp_path}", "--name=shop"]
    first, second = (call("init", *flags) for _ in range(2))
    assert first.returncode == 0, first.stderr
    assert f"make run CONFIG={tmp_path / 'shop.yaml'} DATA={tmp_path / 'log'}" in first.stdout
    assert second.returncode == 2
    assert "shop.pbtxt is there already" in second.stderr
    flags = [f"--config={tmp_path / 'shop.yaml'}", f"--data={tmp_path / 'log'}", f"--runs={tmp_path / 'runs'}"]
    process = call("run", *flags, "--set=stop_after=validation")
    assert process.returncode == 0, process.stdout + process.stderr
    summary = json.loads((tmp_path / "runs" / "shop" / "summary.json").read_text())
    assert summary["rows_quarantined"] == 0
