"""Which split a request goes to. A request is never cut."""

import numpy as np
import pandas as pd
import pyarrow as pa

from common.splits import EARLIER
from components.click_log_example_gen.arrow import one_array
from components.click_log_example_gen.plan import SPLIT, Plan

_KEYS = {
    "partition": "aislerank-shards",
    "split": "aislerank-splits",
    "negatives": "aislerank-negats",
}  # of the hash; 16 characters each


def hash_of(names: pa.Array | pa.ChunkedArray, purpose: str) -> np.ndarray:
    """uint64 [rows]: a hash of each name, the same on every machine, independent from one purpose to another."""
    distinct = one_array(names).dictionary_encode()
    texts = np.array(distinct.dictionary.to_pylist(), object)
    hashes = pd.util.hash_array(texts, hash_key=_KEYS[purpose], categorize=False).astype(np.uint64)
    return hashes[distinct.indices.to_numpy()] if len(texts) else np.zeros(0, np.uint64)


def count_times(times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(distinct times ascending, requests at each) of request times int64 [requests]."""
    return np.unique(times, return_counts=True)


def add_counts(counts) -> tuple[np.ndarray, np.ndarray]:
    """Adds up several results of `count_times`."""
    counts = [pair for pair in counts if len(pair[0])]
    if not counts:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    times, inverse = np.unique(np.concatenate([pair[0] for pair in counts]), return_inverse=True)
    return times, np.bincount(inverse, np.concatenate([pair[1] for pair in counts])).astype(np.int64)


def time_cuts(times: np.ndarray, counts: np.ndarray, fractions: list[float]) -> np.ndarray:
    """Where one split ends and the next begins.

    The quantiles are exact: every request's time is counted. With N requests and c_k the sum of the first k
    fractions, split k+1 begins at the first time before which there are at least c_k N requests. Requests of one
    second stay together, so a log with few distinct times has splits that differ from the fractions.

    Returns:
      int64 [splits - 1], the first time of each split but the first.
    """
    earlier = np.cumsum(counts) - counts
    wanted = np.round(np.cumsum(fractions)[:-1] * counts.sum(), 6)
    place = np.searchsorted(earlier, wanted, side="left")
    return np.append(times, np.iinfo(np.int64).max)[place]


def split_of(plan: Plan, requests: pa.Table, cuts: np.ndarray | None, earlier: np.ndarray) -> np.ndarray:
    """int64 [requests]: the index into `Plan.splits` of each request's split.

    By time, ``cuts`` of `time_cuts`; by hash of the request's or the user's name, so that it is the same in every
    run and in every log that is ingested later; or by the column. What is of an older span, by ``earlier``, bool
    [requests], is in the split of these.
    """
    split = _split_of(plan, requests, cuts)
    return np.where(earlier, plan.splits.index(EARLIER), split) if earlier.any() else split


def _split_of(plan: Plan, requests: pa.Table, cuts: np.ndarray | None) -> np.ndarray:
    split, schema = plan.data.split, plan.schema
    if split.by == "time":
        return np.searchsorted(cuts, requests[schema.timestamp.name].to_numpy(), side="right")
    if split.by == "column":
        return np.array([plan.splits.index(name) for name in requests[SPLIT].to_pylist()], np.int64)
    name = schema.user_id.name if split.by == "user" else schema.request_id.name
    fraction = hash_of(requests[name], "split") / 2.0**64
    bounds = np.cumsum(list(split.fractions.values()))[:-1]
    return np.searchsorted(bounds, fraction, side="right")
