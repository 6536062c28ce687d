import dataclasses
import io
import json
import xml.etree.ElementTree as ET

import pytest
from rich.console import Console

from pipeline.ablation.report import charts, tables
from pipeline.ablation.report.page import render
from pipeline.ablation.report.terminal import Table
from pipeline.ablation.report.verdict import verdict
from tests.pipeline.ablation.made_up import made_up, maps, scores


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


def test_markdown_pictures_and_csv(result, tmp_path):
    tables.write(result, charts.pictures(result, maps()), tmp_path)
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "**good is best.**" in text
    assert "* **The log is simulated.**" in text
    assert "* `good`: `good=moe;top_k=2`" in text
    assert "| 美妆\\|$ |" in text
    pictures = {path.name for path in tmp_path.glob("*.svg")}
    assert pictures >= {
        "session_auc.svg",
        "minus_dnn.svg",
        "gates.svg",
        "slices_top_category.svg",
        "cost_parameters.svg",
    }
    assert all(f"]({picture})" in text for picture in pictures)
    for picture in pictures:
        svg = (tmp_path / picture).read_text(encoding="utf-8")
        ET.fromstring(svg)
        assert "var(--" not in svg  # which only the page knows
    # As text, which a browser finds a font for.
    assert "美妆|$" in (tmp_path / "slices_top_category.svg").read_text(encoding="utf-8")
    for table in (block for block in text.split("\n\n") if block.startswith("|")):
        assert len({line.replace("\\|", "").count("|") for line in table.splitlines()}) == 1
    assert len((tmp_path / "overall.csv").read_text(encoding="utf-8").splitlines()) == 4
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
    tables.write(result, charts.pictures(result, {}), tmp_path)
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert ("one seed says nothing" in text) is (len(labels) > 1)
    assert ("## Slices" in text) is (clicks > 0)
    json.dumps(result, allow_nan=False)
    assert verdict(result).text in render(result, {})
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
