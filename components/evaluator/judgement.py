"""What a model is refused for, in words."""

import math

from components.evaluator.config import EvaluationConfig
from components.evaluator.metrics import Slices


def reasons_against(
    candidate: Slices, baseline: Slices | None, bounds: EvaluationConfig, categories: list[str]
) -> list[str]:
    """Holds a model's metrics against the bounds.

    Args:
      candidate: of the model, as `metrics.read_metrics` gives them.
      baseline: of the last blessed one on the same requests; None if there is none.
      bounds: the configuration.
      categories: the slicing features whose large values are looked at one by one.

    Returns:
      a line a bound that is not kept, with slice, metric, value and bound; [] if all are.
    """
    overall = candidate[""][""]
    if not overall["judged_requests"]:
        return ["no request of the test split has a clicked item and another: there is nothing to judge by"]
    broken = [name for name in ("log_loss", "calibration") if not math.isfinite(overall[name])]
    if broken:
        # What the other metrics make of them means nothing.
        return [f"{name} in all requests: {overall[name]}; a score is not finite" for name in broken]
    reasons = []
    if overall["ties"] > bounds.max_ties:
        reasons.append(
            f"ties in all requests: {_share(overall['ties'])} of the pairs of a clicked and another item have the same "
            f"score; at most {_share(bounds.max_ties)} is allowed (`evaluation.max_ties`)"
        )
    if overall["session_auc"] < bounds.min_session_auc:
        reasons.append(
            f"session_auc in all requests: {_auc(overall['session_auc'])}; at least {bounds.min_session_auc:g} is "
            "needed (`evaluation.min_session_auc`)"
        )
    error = bounds.max_calibration_error
    if error is not None and abs(overall["calibration"] - 1.0) > error:
        reasons.append(
            f"calibration in all requests: the mean score is {overall['calibration']:.4g} of the mean label; from "
            f"{1.0 - error:g} to {1.0 + error:g} is allowed (`evaluation.max_calibration_error`)"
        )
    if baseline is None:
        return reasons
    reasons += _fallen("all requests", overall, baseline[""][""], "max_session_auc_drop", bounds)
    for feature in categories:
        for value, metrics in sorted(candidate[feature].items()):
            requests = metrics["judged_requests"]
            share = requests / overall["judged_requests"]
            if requests < bounds.large_category_requests or share < bounds.large_category_share:
                continue
            place, before = f"{feature}={value or '(unknown)'}", baseline[feature][value]
            reasons += _fallen(place, metrics, before, "max_category_session_auc_drop", bounds)
    return reasons


def _fallen(place: str, now: dict, before: dict, key: str, bounds: EvaluationConfig) -> list[str]:
    """Whether the session AUC is further below than the key allows."""
    allowed = getattr(bounds, key)
    if before["session_auc"] - now["session_auc"] <= allowed:
        return []
    return [
        f"session_auc in {place}: {_auc(now['session_auc'])}, the last blessed has {_auc(before['session_auc'])}; at "
        f"most {allowed:g} below is allowed (`evaluation.{key}`)"
    ]


def _auc(value: float) -> str:
    return f"{value:.4f}"


def _share(value: float) -> str:
    return f"{value:.1%}"
