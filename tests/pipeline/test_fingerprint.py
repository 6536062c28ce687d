"""What runs again after a change of the source: for each component a change that reruns it, and one that does not."""

import json
import pathlib
import re

import pytest
from tfx.utils import json_utils

from models.ranker.config import ModelConfig
from pipeline import fingerprint
from pipeline.config import load_config
from pipeline.fingerprint import component_codes, source_fingerprint, used_rows
from pipeline.pipeline import Places, create_pipeline

ROOT = pathlib.Path(fingerprint.__file__).parents[1]
STATISTICS = {"StatisticsGen", "ImportSchemaGen", "ExampleValidator"}
TRAINING = {"Tuner", "Trainer"}
REPORT = {"ModelReport"}
ALL = set(fingerprint._RUNS)


def statement(text):
    return f"{text}\nADDED = 1\n"


def words(text):
    """Another docstring of the module, a comment, and an empty line more in the first list of imports."""
    return '"""Reworded."""\n' + re.sub(r'\A""".*?"""\n', "# A comment.\n\n", text, flags=re.DOTALL)


def description(text):
    return text.replace('description="', 'description="Reworded: ')


def default(text):
    return re.sub(r"Field\((\d+)", r"Field(1\1", text)


def row(text):
    return re.sub(r"VARIANTS = \{", 'VARIANTS = {"added": Parts(wide=True), ', text)


# file, its change, the components that run again
CHANGES = [
    ("components/click_log_example_gen/joins.py", statement, {"ClickLogExampleGen"}),
    ("components/click_log_example_gen/joins.py", words, set()),
    ("components/click_log_example_gen/config.py", description, set()),
    ("components/click_log_example_gen/progress.py", statement, set()),
    ("components/stock.py", statement, STATISTICS),
    ("components/anomaly_gate/comparisons.py", statement, {"AnomalyGate"} | REPORT),
    ("components/category_hierarchy_gen/executor.py", statement, {"CategoryHierarchyGen"}),
    ("components/transform/executor.py", statement, {"Transform"}),
    ("models/inputs/preprocessing.py", statement, {"Transform"}),
    ("components/tuner.py", statement, {"Tuner"}),
    ("models/tuning/tuner.py", statement, {"Tuner"}),
    ("components/trainer/executor.py", statement, {"Trainer"}),
    ("models/losses/adversarial.py", statement, TRAINING | REPORT),
    ("models/losses/adversarial.py", words, set()),
    ("models/ranker/config.py", default, TRAINING | REPORT),
    ("models/ranker/config.py", description, set()),
    ("models/ranker/variants.py", row, set()),
    ("models/training/config.py", description, set()),
    ("models/training/tensorboard/heat_map.py", statement, set()),
    ("components/split_scorer/scorer.py", statement, {"SplitScorer"}),
    ("schemas/roles.py", description, set()),
    ("components/evaluator/judgement.py", statement, {"Evaluator"} | REPORT),
    ("components/evaluator/config.py", description, set()),
    ("components/pusher/executor.py", statement, {"Pusher"}),
    ("serving/versions.py", statement, {"Pusher"}),
    ("components/bulk_scorer/executor.py", statement, {"BulkScorer"}),
    ("components/model_report/page_charts.py", statement, REPORT),
    ("components/model_report/templates/report.html.j2", statement, REPORT),
    ("reporting/charts.py", statement, REPORT),
    ("reporting/templates/report.css", statement, REPORT),
    ("common/progress.py", statement, set()),
    ("pipeline/comparison/page.py", statement, set()),
    ("pipeline/steps.py", statement, set()),
]


@pytest.fixture(scope="module")
def before():
    return component_codes(used_rows(ModelConfig()))


def changed(before, model=None):
    after = component_codes(used_rows(model or ModelConfig()))
    return {name for name in before if after[name] != before[name]}


@pytest.fixture
def edit(monkeypatch):
    """Changes what is read of a file."""

    def edit(name, change):
        read, path = fingerprint._read, ROOT / name
        text = change(read(path))
        assert text != read(path)
        monkeypatch.setattr(fingerprint, "_read", lambda file: text if file == path else read(file))

    return edit


@pytest.mark.parametrize(("name", "change", "rerun"), CHANGES, ids=[f"{c[0]}-{c[1].__name__}" for c in CHANGES])
def test_a_change_reruns_the_components_that_it_changes(before, edit, name, change, rerun):
    edit(name, change)
    assert changed(before) == rerun


def test_each_component_has_a_change_that_reruns_it_and_one_that_does_not():
    assert set().union(*(rerun for *_, rerun in CHANGES)) == ALL
    assert set().union(*(ALL - rerun for *_, rerun in CHANGES)) == ALL


@pytest.mark.parametrize(
    ("library", "rerun"),
    [
        ("tensorflow-data-validation", STATISTICS | {"AnomalyGate", "Transform"} | REPORT),
        ("tensorflow-recommenders", TRAINING | REPORT),
        ("tensorflow-ranking", TRAINING | REPORT),
        ("keras-tuner", {"Tuner"}),
        ("tensorflow_model_analysis", {"Evaluator", "Trainer"} | REPORT),  # TFX's executor of Trainer imports it
        ("pyarrow", ALL - STATISTICS - TRAINING - {"Pusher"}),
        ("protobuf", None),
        ("tfx", ALL),
        ("rich", set()),
    ],
)
def test_another_version_of_a_library_reruns_the_components_that_compute_with_it(before, monkeypatch, library, rerun):
    versions = fingerprint._versions

    def upgraded(module):
        return {re.sub(f"^{library} .*", f"{library} 99", found) for found in versions(module)}

    monkeypatch.setattr(fingerprint, "_versions", upgraded)
    found = changed(before)
    assert found == rerun if rerun is not None else "Transform" in found and "Pusher" not in found


def test_the_row_that_a_model_uses_counts(before):
    assert changed(before, ModelConfig(variant="dnn")) == TRAINING | REPORT


def test_a_template_counts_for_the_modules_that_render_it_and_not_for_their_neighbours(edit):
    modules = ("reporting.html", "reporting.request_metrics")
    before = [source_fingerprint(module) for module in modules]
    edit("reporting/templates/report.css", statement)
    assert [source_fingerprint(module) == old for module, old in zip(modules, before, strict=True)] == [False, True]


def test_the_cache_and_the_report_have_the_same_fingerprints():
    """Each component takes the fingerprint of the table, under its id or the id of the component that it stands for."""
    sets = ["tune.enabled=true", "train.epochs=7"]
    config, schema = load_config("pipeline/configs/demo.yaml", sets, "gs://bucket/log", needs_log=False)
    codes, seen = component_codes(used_rows(config.model)), set()
    for node in create_pipeline(config, schema, Places.below("folder")).components:
        if node.id.endswith("Resolver"):
            continue
        properties = node.exec_properties
        if "code" not in properties:
            properties = json_utils.loads(properties["custom_config"])
        component = type(node).__name__
        assert properties["code"] == codes[component], node.id
        seen.add(component)
        if component == "ModelReport":
            shown = json.loads(properties["codes"])
            assert shown == {name: codes[name] for name in shown}
            assert {"StatisticsGen", "Transform", "Trainer", "Evaluator"} <= shown.keys()
    assert seen == ALL - {"BulkScorer"}


def test_how_an_ablation_is_shown_does_not_train_its_members_anew():
    files, _ = fingerprint._closure(["pipeline.ablation.members"])
    assert "models.ranker.model" in files
    assert not [
        name for name in files if name.startswith(("reporting", "components.model_report", "pipeline.ablation.report"))
    ]


def test_what_does_not_count_is_there():
    """After a renaming, pictures would train again and rows would retrain other variants."""
    for name in (*fingerprint._SHOWN, *used_rows(ModelConfig())):
        assert fingerprint._file(name), name


def test_an_unknown_module_is_an_error():
    with pytest.raises(ModuleNotFoundError):
        source_fingerprint("models.no_such_module")
