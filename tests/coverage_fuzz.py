"""The fuzzing of logs, schemas and configurations led by coverage: libFuzzer keeps what reaches new lines.

    uv pip install atheris        # Linux; the extra `fuzz` of setup.py
    python -m tests.coverage_fuzz impressions -max_total_time=300

Targets: impressions, requests, columns, values, schema, overrides, configuration. Everything behind the target is
libFuzzer's.
"""

import pathlib
import sys
import tempfile

import atheris

with atheris.instrument_imports(
    include=["components.click_log_example_gen", "schemas", "pipeline.config", "pyarrow", "yaml", "google.protobuf"],
):
    import hypothesis
    from hypothesis import strategies as st

    from tests.components.click_log_example_gen import test_fuzz as logs
    from tests.pipeline import test_config_fuzz as configs
    from tests.schemas import test_fuzz as schemas


class _Folder:
    """What pytest's fixture is asked for."""

    def __init__(self, folder):
        self.getbasetemp = lambda: folder


def targets(folder) -> dict:
    """By name: a property of the tests, which takes all it needs from `data`."""
    inner = {
        "impressions": lambda data: logs.test_no_row_is_lost.hypothesis.inner_test("impressions", data),
        "requests": lambda data: logs.test_no_row_is_lost.hypothesis.inner_test("requests", data),
        "columns": lambda data: logs.test_a_column_of_any_type_is_read_or_refused_row_by_row.hypothesis.inner_test(
            data
        ),
        "values": lambda data: logs.test_what_a_value_means_does_not_depend_on_its_neighbours.hypothesis.inner_test(
            data.draw(st.sampled_from([logs.parse_field, logs.parse_repeated])),
            data.draw(st.sampled_from(logs.FIELDS)),
            data.draw(st.lists(logs.texts, min_size=1, max_size=6)),
            data.draw(st.sampled_from(["seconds", "milliseconds", "%Y"])),
        ),
        "schema": lambda data: schemas.test_parse.hypothesis.inner_test(
            data.draw(schemas.schemas() | st.text(max_size=50)), data.draw(st.booleans())
        ),
        "overrides": lambda data: configs.refused_or_taken(configs.DEMO, data.draw(configs.overrides)),
        "configuration": lambda data: configs.test_file.hypothesis.inner_test(_Folder(folder), data),
    }
    settings = hypothesis.settings(database=None, deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
    return {name: settings(hypothesis.given(data=st.data())(test)) for name, test in inner.items()}


def main() -> None:
    """Fuzzes the target of the command line until libFuzzer has enough."""
    with tempfile.TemporaryDirectory() as folder:
        found = targets(pathlib.Path(folder))
        if len(sys.argv) < 2 or sys.argv[1] not in found:
            sys.exit(f"name a target: {', '.join(found)}")
        atheris.Setup(
            [sys.argv[0], "-len_control=0", "-max_len=8192", *sys.argv[2:]],
            found[sys.argv[1]].hypothesis.fuzz_one_input,
        )
        atheris.Fuzz()


if __name__ == "__main__":
    main()
