"""From two runs to all that is to be said of them."""

from pipeline.comparison import facts, figures
from pipeline.comparison.content import Comparison
from pipeline.comparison.pairing import Kind, Paired, pair
from pipeline.comparison.runs import Run
from reporting.statistics import LEAST
from reporting.words import number

ONE_TRAINING = (
    "Each run is one training. An interval over requests alone says nothing of the noise of training: two seeds of the "
    "same settings often differ as much. An ablation trains several seeds, and judges over them, too."
)


def compare(first: Run, second: Run) -> Comparison:
    """Compares the second run with the first."""
    paired = pair(first.requests, second.requests)
    if paired.kind is Kind.OTHER:
        metrics = figures.apart_metrics(first, second)
        categories, slices = figures.apart_categories(first, second), figures.apart_slices(first, second)
    else:
        metrics = figures.paired_metrics(paired)
        categories, slices = figures.paired_categories(second, paired), figures.paired_slices(paired)
    return Comparison(
        labels=(first.label, second.label),
        kind=paired.kind,
        requests=len(paired.second.requests),
        judged=paired.judged if paired.kind is not Kind.OTHER else 0,
        basis=_basis(first, second, paired),
        metrics=metrics,
        categories=categories,
        slices=slices,
        configuration=facts.configuration(first, second),
        data=facts.data(first, second),
        training=facts.training(first, second),
        experts=facts.experts(first, second),
        seconds=facts.times(first, second),
        marks=_marks(first, second),
    )


def _basis(first: Run, second: Run, paired: Paired) -> str:
    shared, whole = len(paired.second.requests), (first.requests.whole, second.requests.whole)
    judged = f"{number(paired.judged)} of them with a positive and another item"
    if paired.kind is Kind.SAME and shared == whole[0]:
        return (
            f"Both were judged on the same {number(shared)} test requests, {judged}; differences are paired by request."
        )
    if paired.kind is Kind.SAME:
        return (
            f"Both were judged on the same {number(whole[0])} test requests. Of so many the reports keep "
            f"{number(shared)}, drawn by a hash, {judged}: figures here are theirs, and differences are "
            "paired by request."
        )
    of = " and the ".join(_kept(run) for run in (first, second))
    altered = (
        f" {number(paired.altered)} requests have the same id in both, yet other items or labels: another label, other "
        "sampled negatives, or another `data.max_items`."
        if paired.altered
        else ""
    )
    if paired.kind is Kind.SHARED:
        return (
            f"The test requests are not all the same: of the {of}, {number(shared)} are in both, {judged}. All figures "
            f"and paired differences here are over these alone.{altered}"
        )
    few = f"fewer than {LEAST} that could be judged" if paired.judged else "none"
    return (
        f"The test requests are not the same: of the {of}, {few} are in both. Each run's figures are of its own "
        "requests; a difference is one of models and of requests at once, its interval is not paired, and neither run "
        f"can be called better.{altered}"
    )


def _kept(run: Run) -> str:
    """Which requests of a run are there to be compared."""
    kept, whole = len(run.requests.requests), run.requests.whole
    if kept == whole:
        return f"{number(whole)} of {run.label}"
    return f"{number(kept)} that the report of {run.label} keeps of its {number(whole)}"


def _marks(first: Run, second: Run) -> list[str]:
    """Of both runs, with the run where it is of one alone."""
    found = []
    for mark in dict.fromkeys([*first.content.marks, *second.content.marks]):
        of = [run.label for run in (first, second) if mark in run.content.marks]
        found.append(mark if len(of) == 2 else f"{of[0]}: {mark}")
    return found
