"""Compares the members of an ablation on the test split; everything that the tables and plots show."""

import math
from collections.abc import Sequence

import numpy as np

from components.split_scorer.request_scores import RequestScores, places_of
from models.inputs.hierarchy import CategoryHierarchy
from pipeline.ablation.figures import MemberFigures, figures
from pipeline.ablation.members import MemberScores, category_paths
from pipeline.ablation.slices import slices
from reporting.metrics import COMPARED, PER_REQUEST, SHOWN
from reporting.statistics import LEAST, bootstrap, gate_silhouette

_BASELINES = ("dnn", "moe")


class MembersDiffer(RuntimeError):
    """Members that were not scored on the same requests with the same items."""


def compare(
    scores: dict[str, dict[int, MemberScores]],
    trainings: dict[str, dict[int, dict]],
    hierarchy: CategoryHierarchy,
    gains: Sequence[float],
    baselines: Sequence[str] = (),
    oracle_session_auc: float | None = None,
) -> dict:
    """Compares variants that were trained with the same seeds.

    Args:
      scores, trainings: {variant: {seed: what `Member.scores` and `Member.training` give}}.
      hierarchy: of the training split.
      gains: of the trained label's grades.
      baselines: variants to compare with; unless named, those of dnn and moe that are there, or else the first.
      oracle_session_auc: of the true click probability, for a simulated log.

    Returns:
      * ``baselines``: the variants that the others are compared with; the first is also that of the slices.
      * ``best``: the variant with the highest session AUC; None if no request counts.
      * ``requests``: of the test split; ``counting``: those that count, by metric of a request.
      * ``oracle_session_auc``.
      * ``variants``: by label ``metrics`` {metric: {mean, standard_deviation, by_seed}}, ``parameters``,
        ``training_seconds`` and ``items_per_second`` (means over the trainings that were not interrupted, or None),
        ``silhouette`` (the same as a metric; None without gates), ``share_of_oracle`` (None but for a simulated
        log) and ``differences`` {baseline or the best: {metric: difference}}.
      * ``slices``: {dimension: [{name, requests (that count), session_auc by label, differences by label}]}, slices in
        which no request counts left out, and dimensions without a slice.

      A difference is {mean, low, high, p_value, low_over_requests, high_over_requests, p_value_over_requests},
      the first three over requests and seeds.

    Raises:
      MembersDiffer: if members were scored on other requests or other items.
    """
    by_label = _the_same_requests(scores)
    first = next(iter(next(iter(by_label.values())).values()))
    judged = {
        label: {seed: figures(member, gains) for seed, member in members.items()} for label, members in by_label.items()
    }
    baselines = list(baselines) or [label for label in _BASELINES if label in scores] or [next(iter(scores))]
    by_request = {
        metric: {label: _stack(members, metric) for label, members in judged.items()} for metric in PER_REQUEST
    }
    result = {
        "baselines": baselines,
        "requests": len(first.lengths),
        "counting": {
            metric: int((~np.isnan(next(iter(values.values()))[0])).sum()) for metric, values in by_request.items()
        },
        "oracle_session_auc": oracle_session_auc,
        "variants": {},
    }
    tops = category_paths(hierarchy)[:, 0]
    for label, members in judged.items():
        metrics = {name: _spread([member.overall[name] for member in members.values()]) for name in SHOWN}
        result["variants"][label] = {
            "metrics": metrics,
            **_training(list(trainings[label].values())),
            "silhouette": _silhouette(list(scores[label].values()), tops),
            "differences": {},
        }
    result["best"] = best = _best(result["variants"])
    compared = list(dict.fromkeys([*baselines, *([best] if best else [])]))
    for label, variant in result["variants"].items():
        variant["differences"] = {other: {} for other in compared if other != label}
    for metric in COMPARED:
        for baseline in compared:
            for label, found in differences(by_request[metric], baseline).items():
                result["variants"][label]["differences"][baseline][metric] = found
    _add_share_of_oracle(result)
    counts = ~np.isnan(by_request["session_auc"][baselines[0]][0])
    parts = {
        dimension: [
            _slice(name, mask & counts, by_request["session_auc"], baselines[0])
            for name, mask in masks.items()
            if (mask & counts).any()
        ]
        for dimension, masks in slices(first, hierarchy).items()
    }
    result["slices"] = {dimension: found for dimension, found in parts.items() if found}
    return result


def told_from_0(difference: dict | None) -> bool:
    """Whether 0 is outside of the interval of a difference."""
    return difference is not None and not difference["low"] <= 0 <= difference["high"]


def differences(values: dict[str, np.ndarray], baseline: str) -> dict[str, dict | None]:
    """The mean difference of each other variant to the baseline, and how sure it is.

    Args:
      values: a figure by label, [S, R]; NaN where a request does not count, which depends on its grades alone.
      baseline: a label.

    Returns:
      differences by label, see `compare`; None if fewer than 10 requests count.
    """
    others = [label for label in values if label != baseline]
    counts = ~np.isnan(values[baseline][0])
    if not others or counts.sum() < LEAST:
        return dict.fromkeys(others)
    paired = np.stack([values[label][:, counts] - values[baseline][:, counts] for label in others])
    return {
        label: {
            "mean": found.mean,
            **vars(found.judged),
            **{f"{name}_over_requests": value for name, value in vars(found.requests).items()},
        }
        for label, found in zip(others, bootstrap(paired), strict=True)
    }


def _the_same_requests(scores: dict[str, dict[int, MemberScores]]) -> dict[str, dict[int, RequestScores]]:
    """All members' scores, in the order of the first member's requests; joined by the requests' ids."""
    (first_label, first_seed), first = next(
        ((label, seed), one.by_request) for label, seeds in scores.items() for seed, one in seeds.items()
    )

    def of_first(label: str, seed: int, other: RequestScores) -> RequestScores:
        places = places_of(other.requests, first.requests)
        found = None
        if len(other.requests) == len(first.requests) and (places >= 0).all():
            found = other.take(places)
        for part in ("requests", "lengths", "items", "grades", "categories"):
            if found is None or not np.array_equal(getattr(first, part), getattr(found, part)):
                raise MembersDiffer(
                    f"`{part}` of the test requests differ between '{first_label}, seed {first_seed}' and "
                    f"'{label}, seed {seed}': they cannot be compared request by request. Delete the folder `members` "
                    "of the ablation and start it again"
                )
        return found

    return {
        label: {seed: of_first(label, seed, one.by_request) for seed, one in seeds.items()}
        for label, seeds in scores.items()
    }


def _stack(members: dict[int, MemberFigures], metric: str) -> np.ndarray:
    return np.stack([member.by_request[metric] for member in members.values()])


def _spread(values: list[float]) -> dict:
    """Mean and standard deviation over the seeds; None for what no request counts for, and for the spread of one."""
    mean = float(np.mean(values))
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return {
        "mean": None if math.isnan(mean) else mean,
        "standard_deviation": None if math.isnan(mean) else deviation,
        "by_seed": [None if math.isnan(value) else float(value) for value in values],
    }


def _training(trainings: list[dict]) -> dict:
    whole = [training for training in trainings if not training["resumed_from_step"]]

    def mean(name):
        return float(np.mean([training[name] for training in whole])) if whole else None

    return {
        "parameters": trainings[0]["parameters"],
        "training_seconds": mean("seconds"),
        "items_per_second": mean("items_per_second"),
    }


def _silhouette(members: list[MemberScores], tops: np.ndarray) -> dict | None:
    if any(member.gates is None for member in members):
        return None
    values = [gate_silhouette(member.gates, tops) for member in members]
    return None if None in values else _spread(values)


def _best(variants: dict[str, dict]) -> str | None:
    means = {label: variant["metrics"]["session_auc"]["mean"] for label, variant in variants.items()}
    known = [label for label, mean in means.items() if mean is not None]
    return max(known, key=means.get) if known else None


def _add_share_of_oracle(result: dict) -> None:
    """How far a variant's session AUC is on the way from the first baseline's to the true click probability's."""
    variants, best = result["variants"], result["oracle_session_auc"]
    start = variants[result["baselines"][0]]["metrics"]["session_auc"]["mean"]
    for variant in variants.values():
        reached = variant["metrics"]["session_auc"]["mean"]
        known = None not in (best, start, reached) and best > start
        variant["share_of_oracle"] = (reached - start) / (best - start) if known else None


def _slice(name: str, mask: np.ndarray, values: dict[str, np.ndarray], baseline: str) -> dict:
    """Of requests that count."""
    inside = {label: part[:, mask] for label, part in values.items()}
    return {
        "name": name,
        "requests": int(mask.sum()),
        "session_auc": {label: float(part.mean()) for label, part in inside.items()},
        "differences": differences(inside, baseline),
    }
