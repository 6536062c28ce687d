import csv
import dataclasses
import io
import json

import pytest
from rich.console import Console

from pipeline.ablation.report import tables
from pipeline.ablation.report.page import render
from pipeline.ablation.report.terminal import Table
from pipeline.ablation.report.verdict import verdict
from tests.pipeline.ablation.made_up import made_up, scores


@pytest.fixture(scope="module")
def result():
    return made_up(oracle_session_auc=1.0)


def test_the_verdict_says_what_can_be_told_from_0(result):
    said = verdict(result)
    assert said.text == "good is best"
    lead = result["variants"]["good"]["differences"]["dnn"]["session_auc"]["mean"]
    assert f"dnn ({lead:.4f})" in said.reasons[1]
    assert said.reasons[1].endswith("can be told from 0.")
    assert set(said.against["dnn"]) == {"better", "cannot be told from it"}
    alike = verdict(made_up({"moe": {1: scores(1), 2: scores(2)}, "dnn": {1: scores(3), 2: scores(4)}}))
    assert alike.text.endswith("is in front, but cannot be told from any other")


def test_csv_files_have_a_row_for_each_variant_and_slice(result, tmp_path):
    tables.write(result, tmp_path)
    with (tmp_path / "overall.csv").open(encoding="utf-8") as file:
        rows = {row["variant"]: row for row in csv.DictReader(file)}
    assert rows.keys() == {"moe", "dnn", "good"}
    found = result["variants"]["good"]
    assert float(rows["good"]["calibration_mean"]) == found["metrics"]["calibration"]["mean"]
    assert float(rows["good"]["ndcg_at_10_minus_moe_low"]) == found["differences"]["moe"]["ndcg_at_10"]["low"]
    assert rows["dnn"]["session_auc_minus_dnn_mean"] == rows["dnn"]["silhouette_mean"] == ""
    with (tmp_path / "slices.csv").open(encoding="utf-8") as file:
        slices = list(csv.DictReader(file))
    assert {row["slice"] for row in slices if row["dimension"] == "top category"} >= {"phones", "美妆|$"}
    json.dumps(result, allow_nan=False)


@pytest.mark.parametrize("labels", [["moe"], ["moe", "dnn"]])
@pytest.mark.parametrize("clicks", [1, 0])
def test_little_to_show_makes_reports_too(tmp_path, labels, clicks):
    few = scores(1, requests=5)
    few = dataclasses.replace(
        few, by_request=dataclasses.replace(few.by_request, grades=few.by_request.grades * clicks)
    )
    result = made_up({name: {1: few} for name in labels})
    assert result["variants"]["moe"]["metrics"]["auc"]["standard_deviation"] is None
    tables.write(result, tmp_path)
    assert len((tmp_path / "overall.csv").read_text(encoding="utf-8").splitlines()) == 1 + len(labels)
    assert bool((tmp_path / "slices.csv").read_text(encoding="utf-8").strip()) is (clicks > 0)
    json.dumps(result, allow_nan=False)
    page = render(result, {})
    assert verdict(result).text in page
    assert "With one seed there is the interval over requests alone" in page
    assert _shown(result, 80)


@pytest.mark.parametrize(("width", "columns"), [(80, ["minus dnn"]), (120, ["minus dnn", "minus moe"])])
def test_a_terminal_shows_what_it_has_room_for(result, width, columns):
    lines = _shown(result, width)
    assert max(map(len, lines)) <= width
    assert [title for title in ("minus dnn", "minus moe") if title in lines[2]] == columns
    rows = {line.split()[1 + (">" in line)]: line for line in lines if line.startswith("│")}
    assert "> good" in rows["good"]
    assert "]*" in rows["good"]
    assert "]*" not in rows["moe"]
    assert any(line.startswith("good is best. Its session AUC is ") for line in lines)


def _shown(result, width):
    console = Console(width=width, file=io.StringIO())
    console.print(Table(result))
    return console.file.getvalue().splitlines()
