"""The whole pipeline on a small demo log, as a user runs it: real files, real components, and at first a real process.

What a kill leaves, and that a training resumes, is looked at in test_killed.py.
"""

import ast
import json
import pathlib
import re
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
import yaml

from tests.documentation import PAGES, commands, is_shell, snippets
from tests.pipeline.commands import PROJECT, call

README = PROJECT / "README.md"
SUMMARY = {"run": "summary.json", "tune": "tune.json"}
SMALL = [
    "simulate.rows=8000",
    "train.epochs=1",
    "train.validations_per_epoch=3",
    "model.experts=6",
    "model.top_k=2",
    "evaluation.min_session_auc=0.2",
    "evaluation.max_calibration_error=null",
]


def flags(runs: pathlib.Path, *overrides: str) -> list[str]:
    sets = [f"--set={override}" for override in (*SMALL, *overrides)]
    return ["--config=pipeline/configs/demo.yaml", f"--runs={runs}", *sets]


def new_process(verb: str, *arguments: str) -> subprocess.CompletedProcess:
    """As `call`, imports and all."""
    command = [sys.executable, "-m", "pipeline", verb, *arguments]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)


def run(runs: pathlib.Path, *overrides: str, verb: str = "run", start=call) -> tuple[str, dict]:
    process = start(verb, *flags(runs, *overrides))
    folder = runs / "demo"
    log = folder / "run.log"
    assert process.returncode == 0, process.stdout + process.stderr + log.read_text()[-5000:]
    return process.stdout + process.stderr, json.loads((folder / SUMMARY[verb]).read_text())


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    runs = tmp_path_factory.mktemp("runs")
    return runs, *run(runs, start=new_process)


def test_it_ends_with_a_pushed_model_and_a_summary(first):
    runs, output, summary = first
    assert "session AUC" in output
    assert summary["rows_read"] == summary["rows_in_requests"] + summary["rows_quarantined"]
    assert summary["rows_read"] == sum(summary["items"].values()) + summary["rows_quarantined"]
    assert set(summary["requests"]) == {"train", "valid", "test"}
    assert summary["categories"].keys() == {"top_category", "sub_category"}
    assert summary["blessed"] is True
    assert all(0 <= summary["metrics"][name] <= 1 for name in ("session_auc", "ndcg_at_10", "mrr", "auc"))
    assert len(summary["metrics_by_top_category"]) == summary["categories"]["top_category"]
    assert summary["metrics_by"].keys() == {"category_requests", "history_length", "list_length"}
    assert summary["train_items_per_second"] > 0
    assert set(summary["seconds"]) > {
        "ClickLogExampleGen",
        "Transform",
        "RankerTrainer",
        "RankerEvaluator",
        "RankerPusher",
    }
    version = pathlib.Path(summary["pushed_model"])
    assert version.parent == runs / "demo" / "serving" / "ranker"
    assert version.name.isdigit()
    served = tf.saved_model.load(str(version)).signatures
    assert {"serving_default", "rank", "gates"} <= set(served)
    weights = served["gates"](top_category=tf.constant(["books"]), sub_category=tf.constant([""]))["weights"]
    assert int(tf.math.count_nonzero(weights)) == 2
    assert not list((runs / "demo" / "checkpoints").glob("*/*/*"))


def test_it_is_compared_with_a_copy_of_itself(first, tmp_path):
    runs, _, summary = first
    (tmp_path / "copy").mkdir()
    shutil.copy(runs / "demo" / "summary.json", tmp_path / "copy")
    shutil.copytree(runs / "demo" / summary["report_artifact"], tmp_path / "copy" / summary["report_artifact"])
    done = call("compare", str(runs / "demo"), "copy", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    requests = f"{summary['requests']['test']:,}"
    assert done.stdout.startswith(
        f"No difference that can be told. Both were judged on the same {requests} test requests"
    )
    figures = re.search(r"Session AUC\W+([\d.]+)\W+([\d.]+) │ +\+0.0000", done.stdout)
    assert float(figures[1]) == float(figures[2]) == pytest.approx(summary["metrics"]["session_auc"], abs=1e-4)
    assert "Configuration, where it differs" not in done.stdout
    assert (tmp_path / "copy" / "comparison-with-demo.html").exists()


def readme_block(first_words: str) -> str:
    """The block of the README that begins so."""
    return next(s.text for s in snippets(README) if s.kind == "block" and s.text.startswith(first_words))


def test_the_readme_s_calls_get_the_scores_of_the_pushed_model(first):
    runs, _, summary = first
    arguments = ["--backend=development", "--port=0", "--rest_port=0", f"--runs={runs}"]
    with subprocess.Popen(
        [sys.executable, "-m", "pipeline", "serve", *arguments], cwd=PROJECT, stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            lines = iter(server.stdout)
            while not (ports := re.search(r"gRPC \S+:(\d+), REST http://[^:]+:(\d+)", next(lines))):
                pass
            curl, python = (
                readme_block(words).replace("8500", ports[1]).replace("8501", ports[2])
                for words in ("curl", "from serving.client")
            )
            over_rest = json.loads(subprocess.check_output(["bash", "-c", curl], cwd=PROJECT))["outputs"]
            inputs, scores = subprocess.check_output([sys.executable, "-c", python], cwd=PROJECT, text=True).split(
                "\n", 1
            )
        finally:
            server.terminate()
    rank = tf.saved_model.load(summary["pushed_model"]).signatures["rank"]
    request = json.loads(re.search("'(.*)'", curl, re.DOTALL)[1])["inputs"]
    changed = {"history_item": [], "history_brand": [], "price": [20.42, float("nan")]}
    for sent, received in ((request, over_rest), (request | changed, np.fromstring(scores.strip("[] \n"), sep=" "))):
        dtypes = {name: spec.dtype for name, spec in rank.structured_input_signature[1].items()}
        expected = rank(**{name: tf.constant(value, dtypes[name]) for name, value in sent.items()})["scores"]
        np.testing.assert_allclose(received, expected, rtol=1e-5)
        assert set(ast.literal_eval(inputs)) == set(sent)


def test_the_log_of_libraries_stays_off_the_screen(first):
    runs, output, _ = first
    assert len(output.splitlines()) < 90
    assert "WARNING" not in output
    assert (runs / "demo" / "run.log").stat().st_size > 10_000


@pytest.fixture(scope="module")
def second(first):
    runs, _, _ = first
    return run(runs)


def test_a_second_run_reuses_everything_and_says_so(first, second):
    output, summary = second
    assert "Nothing changed since the last run" in output
    assert all(summary["cached"].values())
    assert summary["metrics"] == first[2]["metrics"]
    assert summary["pushed_model"] == first[2]["pushed_model"]


@pytest.fixture(scope="module")
def refused(first, second):
    """A run whose model is not good enough, and in whose training an expert scored more than it should."""
    drops = ["evaluation.max_session_auc_drop=1.0", "evaluation.max_category_session_auc_drop=1.0"]
    train = ["train.seed=2", "train.max_expert_share=0.2", "model.buckets=2", "report.enabled=false"]
    return run(first[0], *train, *drops, "evaluation.min_session_auc=0.99")


def test_what_is_warned_of_ends_the_run_s_table(first, refused):
    assert first[2]["warnings"] == []
    output, summary = refused
    unused, warning = summary["warnings"]
    assert unused == "configuration: `model.buckets`: not used by the variant adv_hsc_moe"
    assert unused.replace("configuration", "Warning") in output[: output.index("ClickLogExampleGen")]
    assert warning.startswith("RankerTrainer: the gate has collapsed: since the last validation, up to step ")
    table = output[output.index("Warnings") :]
    assert "RankerTrainer: the gate has collapsed" in table


def test_a_training_that_diverges_ends_with_its_reason_and_pushes_nothing(first):
    runs, _, _ = first
    before = sorted((runs / "demo" / "serving" / "ranker").iterdir())
    process = call("run", *flags(runs, "train.learning_rate=1e30"))
    assert process.returncode == 1
    reason, *_, remedy, where = process.stderr.splitlines()
    assert reason.startswith("RankerTrainer failed: the training has diverged at step 2: ranking_loss is ")
    assert remedy.startswith("To go on: lower `train.learning_rate` (now 1e+30)")
    assert where.startswith("The whole story is in ")
    assert "Traceback" not in process.stdout + process.stderr
    assert sorted((runs / "demo" / "serving" / "ranker").iterdir()) == before


def test_a_model_below_the_threshold_is_not_pushed(first, refused):
    runs, _, before = first
    output, summary = refused
    assert {name for name, cached in summary["cached"].items() if not cached} == {
        "RankerTrainer",
        "RankerSplitScorer",
        "RankerEvaluator",
        "RankerPusher",
    }
    assert summary["blessed"] is False
    assert summary["pushed_model"] is None
    [reason] = summary["blessing"]["reasons"]
    value = summary["metrics"]["session_auc"]
    assert reason == (
        f"session_auc in all requests: {value:.4f}; at least 0.99 is needed (`evaluation.min_session_auc`)"
    )
    assert reason[:60] in output
    assert summary["served_model"] == before["pushed_model"]
    assert list((runs / "demo" / "serving" / "ranker").iterdir()) == [pathlib.Path(before["pushed_model"])]


def test_what_is_tuned_is_trained(first):
    runs, _, _ = first
    space = "tune.space={model: {experts: [3], hidden: [[4], [16]]}, train: {learning_rate: {min: 1e-3, max: 1e-2}}}"
    overrides = ["tune.trials=2", "tune.epochs=1", "model.variant=moe", "report.enabled=false", space]
    overrides += ["evaluation.max_session_auc_drop=1.0", "evaluation.max_category_session_auc_drop=1.0"]
    summary = (runs / "demo" / "summary.json").read_text()
    output, tuned = run(runs, *overrides, verb="tune")
    assert (runs / "demo" / "summary.json").read_text() == summary  # the run's, not the search's
    assert "trial 2 of 2: session AUC" in output
    assert tuned["cached"]["Transform"]
    assert "RankerTrainer" not in tuned["cached"]
    best, other = tuned["trials"]
    assert best["session_auc"] >= other["session_auc"]
    written = yaml.safe_load((runs / "demo" / "hyperparameters.yaml").read_text())
    assert written["model"]["hidden"] == best["hyperparameters"]["model.hidden"]
    [line] = [line for line in output.splitlines() if "make run" in line]
    assert line.rstrip('"').endswith("--set=tune.enabled=true")
    assert line.count("tune.trials=2") == 1

    output, trained = run(runs, *overrides, "tune.enabled=true")
    assert trained["cached"]["RankerTuner"]
    assert not trained["cached"]["RankerTrainer"]
    assert trained["training"]["hyperparameters"] == best["hyperparameters"]
    assert "tuned: model.hidden" in output
    gates = tf.saved_model.load(trained["pushed_model"]).signatures["gates"]
    assert gates(top_category=tf.constant(["books"]), sub_category=tf.constant([""]))["weights"].shape == (1, 3)


def _auc(clicked: pd.DataFrame, others: pd.DataFrame) -> float:
    """The share of pairs in which the clicked item has the higher score; NaN of a request without such a pair."""
    pairs = clicked.merge(others, how="cross")
    return ((pairs["score_x"] > pairs["score_y"]) + 0.5 * (pairs["score_x"] == pairs["score_y"])).mean()


def test_the_pushed_model_scores_a_day_of_requests_without_clicks(first, tmp_path):
    runs, _, summary = first
    [log] = (runs / "demo").glob("log-*/impressions-*.csv")
    rows = pd.read_csv(log)
    (tmp_path / "day").mkdir()
    unlabelled = rows.drop(columns=["click", "purchase", "position", "true_click_probability"])
    unlabelled.to_csv(tmp_path / "day" / log.name, index=False)

    def score(*more: str) -> subprocess.CompletedProcess:
        return call("score", *flags(runs), f"--input={tmp_path / 'day'}", f"--output={tmp_path / 'out'}", *more)

    done = score(f"--version={pathlib.Path(summary['pushed_model']).name}")
    assert done.returncode == 0, done.stderr
    assert "requests a second" in done.stdout
    scores = pd.read_parquet(tmp_path / "out")
    joined = rows.merge(scores, on=["request_id", "item_id"], validate="one_to_one", suffixes=("_shown", ""))
    assert len(joined) == len(scores) == len(rows)
    assert (joined["position"] == joined["position_shown"]).all()
    # The latest requests are the test split: their scores are as good as the Evaluator found them.
    requests = [request for _, request in joined.groupby("request_id", sort=False)]
    aucs = [_auc(request[request["click"] == 1], request[request["click"] == 0]) for request in requests]
    aucs = pd.Series(aucs[-summary["requests"]["test"] :]).dropna()
    assert aucs.mean() == pytest.approx(summary["metrics"]["session_auc"], abs=1e-4)

    refused = score("--version=1")
    assert refused.returncode == 2
    assert refused.stderr.startswith("--version must be one of the pushed versions")
    (tmp_path / "day" / log.name).write_text("request_id\n")
    failed = score(f"--version={pathlib.Path(summary['pushed_model']).name}", "--overwrite")
    assert failed.returncode == 1
    assert "ClickLogExampleGen failed: " in failed.stderr
    assert len(pd.read_parquet(tmp_path / "out")) == len(rows)


# What the README's commands need to run in a test, by verb; None: other tests run the verb as a user does.
OF_A_TEST = {
    "compile": ["--out={folder}/demo.aislerank.json", "--runs={runs}"],
    "rollback": ["--list", "--runs={runs}"],
    **dict.fromkeys(("init", "run", "tune", "ablation", "score", "serve", "compare", "tensorboard")),
}


def test_the_readme_s_other_commands_run(first, tmp_path):
    written = [c for s in snippets(README) if s.kind != "link" and is_shell(s) for c in commands(s.text)]
    written = {tuple(words[3:]) for words in written if words[:3] == ["python", "-m", "pipeline"]} - {("--help",)}
    assert len(written) > 8
    for verb, *shown in written:
        if OF_A_TEST[verb] is not None:
            more = [flag.format(runs=first[0], folder=tmp_path) for flag in OF_A_TEST[verb]]
            done = call(verb, *shown, *more)
            assert done.returncode == 0, (verb, shown, more, done.stderr)
    assert (tmp_path / "demo.aislerank.json").exists()


def test_what_the_pages_say_is_in_a_run_s_folder_is_there(first):
    folder = first[0] / "demo"
    of_other_verbs = re.compile("ablation|scoring|hyperparameters|kubeflow|locks|checkpoints")
    said = {s.text for page in PAGES for s in snippets(page) if s.kind == "inline"}
    said = [re.fullmatch(r"runs/(?:demo|<name>)/(.+)", text) for text in said]
    patterns = [re.sub("<[^>]*>", "*", match[1]) for match in said if match and not of_other_verbs.match(match[1])]
    assert len(patterns) > 5
    assert [pattern for pattern in patterns if not list(folder.glob(pattern))] == []


def test_a_wrong_configuration_is_refused_before_anything_starts(tmp_path):
    process = call("run", *flags(tmp_path, "model.top_k=9"))
    assert process.returncode == 2
    assert process.stderr.strip().endswith("`model`: `top_k` must be in [1, experts=6]. Received: top_k=9")
    assert not list(tmp_path.iterdir())
