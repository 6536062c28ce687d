"""`python -m pipeline compare` as it is typed."""

import shutil

import pytest

from reporting.files import CONTENT_FILE, REQUESTS_FILE
from tests.components.model_report.made_up import HOSTILE, made_up
from tests.pipeline.commands import call
from tests.pipeline.comparison.made_up_runs import ARTIFACT, change, made_up_requests, write_run


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    content = made_up(40, names=HOSTILE[:8])
    write_run(folder / "monday", content, made_up_requests(content))
    write_run(folder / "tuesday", content, made_up_requests(content, lift=0.01, seed=1), "train.seed=2")
    return folder


def test_it_shows_which_is_better_where_and_what_differs_and_writes_a_page(runs):
    done = call("compare", "monday", "tuesday", "--out=new/page.html", folder=runs)
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert said.startswith("tuesday is better. Both were judged on the same 2,000 test requests")
    assert "says nothing of the noise of training" in said
    assert "Categories that gained most" in said
    assert "train.seed" in said
    assert "model.variant" not in said
    assert "\x1b[31m" not in done.stdout
    assert "\u202e" not in done.stdout
    assert done.stdout.splitlines()[-1] == "new/page.html"
    assert (runs / "new" / "page.html").stat().st_size > 1e5


def _older(folder):
    change(folder, report_artifact="gone")


def _older_content(folder):
    path = folder / ARTIFACT / CONTENT_FILE
    path.write_text(path.read_text(encoding="utf-8").replace('"judged_requests"', '"judged"', 1), encoding="utf-8")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: shutil.rmtree(folder), "b: there is no such folder; a run's is runs/<name>"),
        (lambda folder: (folder / "summary.json").unlink(), "b: has no summary.json: no run has come to its end in it"),
        (lambda folder: (folder / "summary.json").write_text("{"), "b/summary.json: cannot be read"),
        (lambda folder: (folder / "summary.json").write_text("[]"), "b/summary.json: is no summary of a run"),
        (lambda folder: change(folder, metrics="gone"), "b: the run stopped before it had a model (`stop_after`)"),
        (lambda folder: change(folder, report=None), "b: the run made no report to compare by; run"),
        (_older, "b: its report was written by an older version; run it again with this version"),
        (_older_content, f"b/{ARTIFACT}/content.json: is not of this version (1 fields differ)"),
        (lambda folder: (folder / ARTIFACT / REQUESTS_FILE).unlink(), f"b/{ARTIFACT}/requests.parquet: is missing"),
        (lambda folder: (folder / ARTIFACT / REQUESTS_FILE).write_bytes(b"PAR1"), f"b/{ARTIFACT}: cannot be read"),
    ],
)  # fmt: skip
def test_a_run_that_cannot_be_compared_is_refused_with_what_to_do(runs, tmp_path, spoil, said):
    shutil.copytree(runs / "tuesday", tmp_path / "b")
    spoil(tmp_path / "b")
    done = call("compare", str(runs / "monday"), "b", folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(said)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["monday"], "compare: takes <run> <another run>. Received: monday"),
        ([], "compare: takes <run> <another run>. Received: none"),
        (["monday", ""], "compare: takes <run> <another run>. Received: monday"),
        (["monday", "tuesday", "monday"], "compare: takes <run> <another run>. Received: monday tuesday monday"),
        (["monday", "./tuesday/../monday"], "tuesday/../monday: is the same run twice"),
        (["monday", "tuesday", "--out=tuesday"], "--out=tuesday: is a folder; name a file"),
        (["monday", "a" * 300], f"{'a' * 300}: there is no such folder"),
        (["a" * 300, "tuesday"], f"{'a' * 300}: there is no such folder"),
        (["monday", "tuesday", f"--out={'a' * 300}"], f"{'a' * 300}: cannot be written: File name too long;"),
        (["monday", "tuesday", "--out=monday/summary.json/x"], "monday/summary.json/x: cannot be written"),
        (["monday", "tuesday", "--config=x"], "compare: there is no flag --config"),
    ],
)
def test_what_is_asked_for_wrongly_is_refused(runs, arguments, said):
    done = call("compare", *arguments, folder=runs)
    assert done.returncode == 2
    assert done.stderr.startswith(said)
