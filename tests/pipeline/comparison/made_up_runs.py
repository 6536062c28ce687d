"""Folders of runs as a run leaves them, with made-up figures."""

import dataclasses
import json
import pathlib

import numpy as np

from pipeline.config import load_config
from reporting.content import Category, ReportContent
from reporting.files import CONTENT_FILE, REQUESTS_FILE
from reporting.judged_requests import Division, JudgedRequests, parquet
from reporting.ranking import Ranking
from tests.pipeline.commands import DEMO

ARTIFACT = "artifacts/ModelReport/report/7"
_LOG = 10_000


def made_up_requests(content: ReportContent, lift: float = 0.0, seed: int = 0, first: int = 0, count: int = 2000):
    """Requests ``first`` .. of one log, in the leaves of a content's tree; a model's figures are ``lift`` above
    those of another of other ``seed``."""
    log, model = np.random.default_rng(1), np.random.default_rng(seed + 100)
    whole = first + count
    items, leaf = log.integers(2, 12, _LOG)[first:whole], log.random(_LOG)[first:whole]
    leaves = [place for place, node in enumerate(content.categories) if node.level == len(content.level_names)]
    nodes = np.array([_path(content.categories, place) for place in leaves])[(leaf**3 * len(leaves)).astype(int)]
    quality = log.normal(0.75, 0.15, _LOG)[first:whole]
    counts = log.random(_LOG)[first:whole] < 0.8

    def figures(mean):
        values = np.clip(mean + lift + model.normal(0, 0.05, count), 0, 1).astype(np.float32)
        return np.where(counts, values, np.nan)

    return JudgedRequests(
        requests=np.arange(first, whole) * 7919,
        contents=np.arange(first, whole) * 104729,
        items=items,
        positives=counts.astype(int),
        ranking=Ranking(
            by_request={"session_auc": figures(quality), "ndcg_at_10": figures(quality - 0.3), "mrr": figures(quality)},
            log_losses=items * model.normal(0.3, 0.02, count),
            scores=counts * model.normal(1, 0.1, count),
            auc=0.8 + lift,
            auc_influence=model.normal(0, 0.1, count) / count,
        ),
        nodes=nodes,
        divided=[Division("length of the list", "", ["2-4", "5 or more"], (items >= 5).astype(int))],
        whole=count,
    )


def _path(nodes: list[Category], place: int | None) -> list[int]:
    return [*_path(nodes, nodes[place].parent), place] if place is not None else []


def write_run(folder: pathlib.Path, content: ReportContent, requests: JudgedRequests, *overrides: str) -> pathlib.Path:
    """A run's folder; ``overrides`` of the demo's configuration."""
    config, _ = load_config(DEMO, overrides, needs_log=False)
    (folder / ARTIFACT).mkdir(parents=True)
    (folder / ARTIFACT / CONTENT_FILE).write_text(content.model_dump_json(), encoding="utf-8")
    (folder / ARTIFACT / REQUESTS_FILE).write_bytes(parquet(requests))
    summary = {
        "name": folder.name, "config": config.model_dump(mode="json", by_alias=True) | {"name": folder.name},
        "items_cut": 3,
        "metrics": {}, "report": str(folder / "report.html"), "report_artifact": ARTIFACT,
        "training": {"hyperparameters": {}},
    }  # fmt: skip
    (folder / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    return folder


def change(folder: pathlib.Path, **values) -> None:
    """Changes keys of a run's summary; "gone" takes one out."""
    path = folder / "summary.json"
    summary = json.loads(path.read_text(encoding="utf-8")) | values
    path.write_text(json.dumps({key: value for key, value in summary.items() if value != "gone"}), encoding="utf-8")


def altered(requests: JudgedRequests, places: slice) -> JudgedRequests:
    """The same requests by id, some of which have other items."""
    contents = requests.contents.copy()
    contents[places] += 1
    return dataclasses.replace(requests, contents=contents)
