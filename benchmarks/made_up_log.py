"""A click log made up in the shape of `schemas/amazon.pbtxt`, and the requests that Transform makes of it.

Of about the real log's sizes: 18,000 items of which nearly all are in the vocabulary, 1,200 brands, 143 categories
under 17 tops, histories of 1 to 20 items, 5.6 in the mean. Nothing can be learnt from it: clicks are drawn at random.
"""

import dataclasses
import pathlib
import subprocess
import sys

import numpy as np
import pandas as pd

from schemas.log_schema import LogSchema
from schemas.parsing import read_schema

_ROOT = pathlib.Path(__file__).resolve().parent.parent
_CONFIG = _ROOT / "pipeline" / "configs" / "amazon.yaml"
SCHEMA = _ROOT / "schemas" / "amazon.pbtxt"
_ITEMS, _BRANDS, _SUBS, _TOPS = 18_000, 1_200, 143, 17
HISTORY_LENGTH = 20
_VALID_SHARE = 0.02


@dataclasses.dataclass(frozen=True)
class TransformedLog:
    """What Transform made of a log.

    Attributes:
      schema: of the log.
      transform_graph: folder of the graph.
      examples: folder of the requests, ``Split-train`` and ``Split-valid``.
    """

    schema: LogSchema
    transform_graph: str
    examples: str

    def files(self, split: str) -> list[str]:
        """Glob patterns of a split's files."""
        return [f"{self.examples}/Split-{split}/*"]


def transformed_log(folder: pathlib.Path, impressions: int, list_length: int) -> TransformedLog:
    """Makes the log up and runs the pipeline on it up to Transform; what is there already is used again.

    Args:
      folder: for the log and the run.
      impressions: of the training split.
      list_length: items a request.
    """
    name = f"log-{impressions}-by-{list_length}"
    log = folder / name
    if not log.exists():
        log.mkdir(parents=True)
        write_log(log / "log.csv.gz", impressions, list_length)
    overrides = [f"name=run-{name}", "stop_after=transform"]
    sets = [part for override in overrides for part in ("--set", override)]
    command = [sys.executable, "-m", "pipeline", "run", "--config", str(_CONFIG), "--data", str(log)]
    subprocess.run([*command, "--runs", str(folder), *sets], check=True, cwd=_ROOT, stdout=sys.stderr)
    outputs = folder / f"run-{name}" / "artifacts" / "Transform"
    return TransformedLog(
        read_schema(SCHEMA), _newest(outputs / "transform_graph"), _newest(outputs / "transformed_examples")
    )


def write_log(path: pathlib.Path, impressions: int, list_length: int, seed: int = 1) -> None:
    """Writes the log as CSV, a row an impression, a request's rows together."""
    rng = np.random.default_rng(seed)
    requests = max(2, impressions // list_length)
    held_out = max(2, round(requests * _VALID_SHARE))
    total = requests + 2 * held_out
    split = np.repeat(["train", "valid", "test"], [requests, held_out, held_out])

    # "0" stands for a missing value in this log: of the brands the most frequent one, as in the real log.
    item_brand = rng.choice(_BRANDS, _ITEMS, p=_decreasing(_BRANDS, 0.9))
    item_sub = rng.choice(_SUBS, _ITEMS, p=_decreasing(_SUBS, 1.2))
    sub = rng.choice(_SUBS, total, p=_decreasing(_SUBS, 1.4))
    items = rng.choice(_ITEMS, (total, list_length), p=_decreasing(_ITEMS, 0.5))
    past = np.minimum(HISTORY_LENGTH, rng.geometric(0.17, total))
    history = np.split(rng.choice(_ITEMS, past.sum(), p=_decreasing(_ITEMS, 0.5)), np.cumsum(past)[:-1])
    of_request = {
        "request_id": np.arange(total),
        "user_id": rng.integers(0, 12_000, total),
        "timestamp": np.arange(total) + 1,
        "split": split,
        "top_category": [f"top{one % _TOPS}" for one in sub],
        "sub_category": [f"sub{one}" for one in sub],
        "history_length": past,
        "history": [_joined(one) for one in history],
        "history_brand": [_joined(item_brand[one]) for one in history],
        "history_sub_category": [_joined(item_sub[one]) for one in history],
    }
    flat = items.ravel()
    of_item = {
        "item_id": flat,
        "item_brand": item_brand[flat],
        "item_sub_category": item_sub[flat],
        "item_popularity": np.bincount(flat, minlength=_ITEMS)[flat],
        "brand_overlap": rng.poisson(0.6, flat.size),
        "sub_category_overlap": rng.poisson(1.9, flat.size),
        "position": np.tile(np.arange(1, list_length + 1), total),
        "click": (np.arange(list_length) == rng.integers(0, list_length, (total, 1))).astype(int).ravel(),
    }
    shared = {name: np.repeat(np.asarray(values, dtype=object), list_length) for name, values in of_request.items()}
    pd.DataFrame(shared | of_item).to_csv(path, index=False, compression={"method": "gzip", "compresslevel": 1})


def _decreasing(count: int, exponent: float) -> np.ndarray:
    weights = (np.arange(count) + 10.0) ** -exponent
    return weights / weights.sum()


def _joined(values: np.ndarray) -> str:
    return " ".join(str(value) for value in values)


def _newest(folder: pathlib.Path) -> str:
    return str(max(folder.iterdir(), key=lambda execution: int(execution.name)))
