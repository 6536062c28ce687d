"""The component in a real pipeline: spans, versions, and what is answered from the cache."""

import os

import pytest
from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.io import fileio
from tfx.orchestration import metadata
from tfx.orchestration.data_types import RuntimeParameter
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.pipeline import Pipeline

from components.click_log_example_gen.component import ClickLogExampleGen
from components.click_log_example_gen.config import DataConfig
from components.click_log_example_gen.quarantine import read_summary
from components.click_log_example_gen.spans import resolve_properties
from schemas.parsing import parse_schema, read_schema

from .conftest import SHOP

HEADER = "request_id,user_id,timestamp,top,sub,visits,past,item_id,brand,click\n"


def _log(path, requests):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(HEADER + "".join(f"q{i},u,{i},t,s,,,{item},b,0\n" for i in range(requests) for item in "xy"))


@pytest.fixture
def run(tmp_path):
    """Runs a pipeline of this one component and returns (executions so far, the newest examples and summary)."""
    (tmp_path / "schema.pbtxt").write_text(SHOP)
    connection = metadata.sqlite_metadata_connection_config(str(tmp_path / "metadata.db"))

    def run(files, code="1", span=None):
        table = {"files": "prices.csv", "key": "id", "match": "item_id", "columns": {"price": "price"}}
        data = DataConfig.model_validate(
            {"path": str(tmp_path / "log"), "files": files, "span": span, "tables": [table]}
        )
        component = ClickLogExampleGen(data, read_schema(tmp_path / "schema.pbtxt"), code)
        LocalDagRunner().run(
            Pipeline(
                pipeline_name="test",
                pipeline_root=str(tmp_path / "root"),
                components=[component],
                enable_cache=True,
                metadata_connection_config=connection,
            )
        )
        with metadata.Metadata(connection) as handle:
            executions = handle.store.get_executions()
            done = [e for e in executions if e.last_known_state == metadata_store_pb2.Execution.COMPLETE]
            examples = handle.store.get_artifacts_by_type("Examples")[-1]
            quarantine = handle.store.get_artifacts_by_type("components.Quarantine")[-1]
        return len(done), examples, read_summary(quarantine.uri)

    return run


def test_newest_span_and_cache(run, tmp_path):
    log = tmp_path / "log"
    (log / "span-2").mkdir(parents=True)
    prices = log / "prices.csv"
    prices.write_text("id,price\nx,1\ny,2\n")
    _log(log / "span-9" / "version-1" / "a.csv", 3)
    _log(log / "span-10" / "version-1" / "a.csv", 4)
    _log(log / "span-10" / "version-2" / "a.csv", 5)
    pattern = "span-{SPAN}/version-{VERSION}/*.csv"

    done, examples, summary = run(pattern)
    assert done == 1
    assert summary["files"] == [os.path.join("span-10", "version-2", "a.csv")]
    assert (summary["rows_read"], sum(summary["requests"].values())) == (10, 5)
    assert examples.custom_properties["span"].int_value == 10
    assert examples.custom_properties["version"].int_value == 2
    assert examples.custom_properties["payload_format"].string_value == "FORMAT_TF_EXAMPLE"

    assert run(pattern)[0] == 1  # nothing changed
    assert run(pattern, code="2")[0] == 2  # the source did
    prices.write_text("id,price\nx,1\ny,2.5\n")
    assert run(pattern, code="2")[0] == 3  # a table did
    _log(log / "span-11" / "version-1" / "a.csv", 6)
    done, _, summary = run(pattern, code="2")
    assert (done, summary["rows_read"]) == (4, 12)  # there is a newer span
    assert run(pattern, code="2", span=11)[0] == 4  # the newest, by its number
    done, _, summary = run(pattern, code="2", span=9)
    assert (done, summary["rows_read"]) == (5, 6)


@pytest.mark.parametrize("behind_a_uri", [False, True])
def test_a_table_that_changed_changes_the_cache_key(tmp_path, behind_a_uri):
    folder = "ram://log" if behind_a_uri else str(tmp_path)
    table = {"files": "prices*.csv", "key": "id", "match": "item_id", "columns": {"price": "price"}}
    data = DataConfig.model_validate({"path": folder, "files": "log.csv", "tables": [table]})
    properties = ClickLogExampleGen(data, parse_schema(SHOP), code="1").exec_properties
    found = []
    for name, text in (("log", HEADER), ("prices-1", "id,price\n"), ("prices-1", "id,price\nx,1\n"), ("prices-2", "")):
        with fileio.open(f"{folder}/{name}.csv", "w") as file:
            file.write(text)
        found.append(resolve_properties(properties)["input_fingerprint"])
    assert len(set(found)) == 4
    assert resolve_properties(properties)["input_fingerprint"] == found[-1]


def test_the_path_is_needed():
    with pytest.raises(ValueError, match=r"`data.path` must name the folder of the log"):
        ClickLogExampleGen(DataConfig(), parse_schema(SHOP))


@pytest.mark.parametrize(
    ("span", "rows", "found"), [(None, 12, (10, 2)), (9, 6, (9, 1))], ids=["the newest", "the one asked for"]
)
def test_where_no_driver_ran_the_executor_finds_the_span(ingest, tmp_path, span, rows, found):
    log = tmp_path / "log"
    _log(log / "span-9" / "version-1" / "a.csv", 3)
    _log(log / "span-10" / "version-1" / "a.csv", 5)
    _log(log / "span-10" / "version-2" / "a.csv", 6)
    prices = {"price": "visits"}  # the log has no prices of its own
    result = ingest(files="span-{SPAN}/version-{VERSION}/*.csv", span=span, columns=prices)
    assert result.summary["rows_read"] == rows
    properties = {name: result.artifact.get_int_custom_property(name) for name in ("span", "version")}
    assert tuple(properties.values()) == found
    assert "num_files:1" in result.artifact.get_string_custom_property("input_fingerprint")


def test_a_span_that_is_not_there(ingest, tmp_path):
    _log(tmp_path / "log" / "2024-02-29" / "a.csv", 3)
    with pytest.raises(
        ValueError, match=r"no file '{YYYY}-{MM}-{DD}/\*.csv' of span 19781 \(2024-02-28, if it is a day\) in"
    ):
        ingest(files="{YYYY}-{MM}-{DD}/*.csv", span=19_781)  # the day before
    result = ingest(files="{YYYY}-{MM}-{DD}/*.csv", span=19_782, columns={"price": "visits"})
    assert result.summary["rows_read"] == 6


def test_parameters_of_a_run_stand_in_for_the_configuration():
    log, span = RuntimeParameter("log", str), RuntimeParameter("span", int)
    data = DataConfig(path="/elsewhere", files="{SPAN}/*.csv", span=3)
    properties = ClickLogExampleGen(data, parse_schema(SHOP), log=log, span=span).exec_properties
    assert properties["input_base"] is log
    assert properties["wanted_span"] is span
    # Nothing is left that says otherwise.
    assert "/elsewhere" not in properties["data"]
