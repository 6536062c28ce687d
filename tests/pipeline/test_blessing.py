"""The first model, one as good, a worse one and one of other signatures: what Evaluator blesses, Pusher pushes.

The bounds themselves: tests/components/evaluator/.
"""

import json
import pathlib
import re

import numpy as np
import pytest
import tensorflow as tf
from tfx.dsl.components.common.importer import Importer
from tfx.orchestration.pipeline import Pipeline
from tfx.types import standard_artifacts

from common.warnings import read_warnings
from models.export.signatures import ServedRanker
from models.ranker.config import ModelConfig
from models.ranker.model import Ranker
from models.training.config import TrainConfig
from models.training.loop import fit
from pipeline.config import load_config
from pipeline.orchestration import LOCAL
from pipeline.run_folder.database import METADATA_FILE, database
from pipeline.runners.local import LocalRunner
from pipeline.steps import Steps
from tests.models.conftest import SmallLog, make_request, to_example

PROJECT = pathlib.Path(__file__).resolve().parents[2]
DEMO = PROJECT / "pipeline" / "configs" / "demo.yaml"
SMALL = ["evaluation.large_category_requests=50"]


class Shop:
    """Requests to judge by, a model that was trained and pushed, and models made of it to follow it."""

    def __init__(self, log: SmallLog, folder: pathlib.Path):
        self.folder, self.examples, self.graph = folder, folder / "examples", log.transform_graph
        (self.examples / "Split-test").mkdir(parents=True)
        rng = np.random.default_rng(2)
        with tf.io.TFRecordWriter(str(self.examples / "Split-test" / "requests.gz"), options="GZIP") as writer:
            for number in range(300):
                request = make_request(rng, number, int(rng.integers(2, 9)))
                writer.write(to_example(request, log.schema).SerializeToString())
        tf.keras.utils.set_random_seed(1)
        model = ModelConfig(variant="dnn", hidden=[16], embedding_size=4)
        ranker = Ranker(log.schema, log.inputs, model)
        train = TrainConfig(epochs=10, learning_rate=1e-2)
        places = str(folder / "checkpoints"), str(folder / "logs")
        fit(ranker, log.train_files, log.valid_files, log.feature_spec, train, *places)
        first = folder / "models" / "first"
        ServedRanker(ranker, log.transform_output, log.hierarchy, log.schema).save(str(first / "Format-Serving"))
        self.first = self.judge(first)
        self.trained = tf.saved_model.load(str(first / "Format-Serving"))

    @property
    def versions(self) -> list[str]:
        return sorted(path.name for path in self.folder.glob("serving/ranker/*"))

    def make(self, name: str, damage=None, **signatures) -> pathlib.Path:
        """A SavedModel whose scores are damaged, or whose signatures are others; None is one that is left out."""
        module = tf.Module()
        module.trained = self.trained
        calls = dict(self.trained.signatures) | signatures

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
        def serving_default(examples):
            given = self.trained.signatures["serving_default"](examples=examples)
            return given | {"scores": damage(given["scores"], given["lengths"], examples)}

        if damage:
            calls["serving_default"] = serving_default
        folder = self.folder / "models" / name
        calls = {key: call for key, call in calls.items() if call is not None}
        tf.saved_model.save(module, str(folder / "Format-Serving"), signatures=calls)
        return folder

    def judge(self, model: pathlib.Path, *sets: str) -> tuple[list[str], dict, bool]:
        """(reasons, the blessing's properties, whether it was pushed) of the components after the Trainer."""
        config, schema = load_config(DEMO, [*SMALL, *sets])
        examples = Importer(
            source_uri=str(self.examples),
            artifact_type=standard_artifacts.Examples,
            properties={"split_names": '["test"]'},
        ).with_id("examples")
        graph = Importer(source_uri=self.graph, artifact_type=standard_artifacts.TransformGraph).with_id("graph")
        candidate = Importer(source_uri=str(model), artifact_type=standard_artifacts.Model).with_id("model")
        steps, trained = Steps(config, schema, LOCAL), candidate.outputs["result"]
        scored = steps.score(examples.outputs["result"], graph.outputs["result"], trained)
        evaluated = steps.evaluate(scored, trained)
        steps.push(trained, evaluated.blessing, str(self.folder / "serving" / "ranker"))
        pipeline = Pipeline(
            pipeline_name=config.name,
            pipeline_root=str(self.folder / "artifacts"),
            components=[examples, graph, candidate, *steps.components],
            metadata_connection_config=database(self.folder / METADATA_FILE),
        )
        before = self.versions
        runner = LocalRunner()
        runner.run(pipeline)
        runs = {run.name: run for run in runner.node_runs}
        reasons = json.loads((pathlib.Path(runs["RankerEvaluator"].outputs["blessing"]) / "reasons.json").read_text())
        self.warnings = read_warnings(runs["RankerSplitScorer"].outputs["scores"])
        pushed = runs["RankerPusher"].properties["pushed_model"]["pushed"] == 1
        assert pushed is (self.versions != before)
        return reasons, runs["RankerEvaluator"].properties["blessing"], pushed


@pytest.fixture(scope="module")
def shop(small_log, tmp_path_factory):
    return Shop(small_log, tmp_path_factory.mktemp("demo"))


def constant(scores, lengths, examples):
    return tf.fill(tf.shape(scores), 0.5)


def no_number(scores, lengths, examples):
    """One item of a batch."""
    return tf.tensor_scatter_nd_update(scores, [[0, 0]], [float("nan")])


AUC = r"session_auc in {}: 0\.5000, the last blessed has 0\.\d{{4}}; at most {} below is allowed"


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (no_number, ["log_loss in all requests: nan; a score is", "calibration in all requests: nan; a score is"]),
        (
            constant,
            [
                "ties in all requests: 100.0% of the pairs",
                AUC.format("all requests", "0.005"),
                *(AUC.format(f"top_category={name}", "0.03") for name in ("phones", "shirts")),
            ],
        ),
    ],
    ids=["no_number", "constant"],
)
def test_a_worse_model_is_not_pushed_and_the_reasons_are_said(shop, damage, expected):
    reasons, blessing, pushed = shop.judge(shop.make(damage.__name__, damage))
    assert not pushed
    assert blessing["blessed"] == 0
    assert len(reasons) == len(expected), reasons
    for reason, pattern in zip(reasons, expected, strict=True):
        assert re.match(pattern, reason), reason


@pytest.fixture(scope="module")
def without_a_feature(shop) -> pathlib.Path:
    """A model that knows no brand, without the signature `rank_ids`, whose `elwc` gives no lengths."""
    trained = shop.trained.signatures
    specs = dict(trained["rank"].structured_input_signature[1])
    specs.pop("brand")

    @tf.function(autograph=False)
    def rank(**request):
        return trained["rank"](brand=tf.fill(tf.shape(request["item_id"]), ""), **request)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="inputs")])
    def elwc(inputs):
        return {"scores": trained["elwc"](inputs=inputs)["scores"]}

    return shop.make("without_a_feature", rank=rank.get_concrete_function(**specs), elwc=elwc, rank_ids=None)


def test_a_model_of_another_signature_is_not_pushed(shop, without_a_feature):
    reasons, blessing, pushed = shop.judge(without_a_feature)
    assert not pushed
    assert [reason.split(": ")[0] for reason in reasons] == [
        "`elwc` no longer gives `lengths`",
        "`rank` no longer takes `brand`",
        "the signature `rank_ids` is gone",
    ]
    assert all(reason.endswith("(`evaluation.allow_signature_change`)") for reason in reasons)
    # It cannot be compared: the last blessed model would find no brand in the requests.
    assert "baseline_model" not in blessing
    assert shop.warnings == [
        "the last blessed model reads features that this log does not have: the new model is evaluated alone"
    ]


def test_the_first_model_is_held_to_the_same_bounds_and_pushed(shop):
    reasons, blessing, pushed = shop.first
    assert (reasons, pushed) == ([], True)
    assert blessing["session_auc"] > 0.7
    assert "baseline_model" not in blessing


def test_a_model_as_good_as_the_last_is_pushed(shop):
    reasons, blessing, pushed = shop.judge(shop.make("as_good"))
    assert (reasons, pushed) == ([], True)
    assert blessing["blessed"] == 1
    assert blessing["session_auc"] == pytest.approx(shop.first[1]["session_auc"], abs=1e-6)
    assert blessing["baseline_model"] == str(shop.folder / "models" / "first")


def test_a_change_of_signatures_that_is_meant_is_pushed(shop, without_a_feature):
    reasons, blessing, pushed = shop.judge(without_a_feature, "evaluation.allow_signature_change=true")
    assert (reasons, pushed) == ([], True)
    assert "baseline_model" not in blessing
