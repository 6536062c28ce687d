"""What an ablation says, in words: which variant is best, and which differences can be told from 0."""

import dataclasses
from collections.abc import Iterable

from pipeline.ablation.compare import told_from_0
from reporting.words import listed, number, signed


@dataclasses.dataclass(frozen=True)
class Verdict:
    """The headline.

    Attributes:
      text: the variant with the highest session AUC.
      sure: whether it is ahead of every other by an interval that leaves 0 out.
      reasons: its leads, in a sentence or two.
      against: by baseline, {what is better, what is worse, what cannot be told from it: variants with differences}.
    """

    text: str
    sure: bool
    reasons: list[str]
    against: dict[str, dict[str, list[str]]]


def verdict(result: dict) -> Verdict:
    """Of the content of `ablation.json`, by the intervals over requests and seeds, or over requests with one seed."""
    best = result["best"]
    if best is None:
        reason = "No request of the test split has a positive and a negative item."
        return Verdict("Nothing can be compared", False, [reason], {})
    variants = result["variants"]
    figure = number(variants[best]["metrics"]["session_auc"]["mean"], 4)
    if len(variants) == 1:
        return Verdict(f"{best} alone", False, [f"Its session AUC is {figure}; there is nothing to compare."], {})
    behind = {label: _difference(variant, best) for label, variant in variants.items() if label != best}
    equals = sum(not told_from_0(found) for found in behind.values())
    some = "any other" if equals == len(behind) else f"{equals} of the {len(behind)} others"
    return Verdict(
        f"{best} is in front, but cannot be told from {some}" if equals else f"{best} is best",
        not equals,
        [f"Its session AUC is {figure}.", *_leads(behind)],
        {baseline: _against(variants, baseline) for baseline in result["baselines"]},
    )


def _leads(behind: dict[str, dict | None]) -> Iterable[str]:
    told = [f"{label} ({number(-found['mean'], 4)})" for label, found in behind.items() if told_from_0(found)]
    open_ = [
        f"{label} ({number(-found['mean'], 4)})" for label, found in behind.items() if found and not told_from_0(found)
    ]
    few = [label for label, found in behind.items() if found is None]
    if told:
        yield f"Its lead over {listed(told)} can be told from 0."
    if open_:
        yield f"{'That' if told else 'Its lead'} over {listed(open_)} cannot{'' if told else ' be told from 0'}."
    if few:
        yield f"Too few requests count for an interval of its lead over {listed(few)}."


def _against(variants: dict[str, dict], baseline: str) -> dict[str, list[str]]:
    found = {label: _difference(variant, baseline) for label, variant in variants.items() if label != baseline}
    known = {label: difference for label, difference in found.items() if difference}
    groups = {
        "better": [label for label in known if told_from_0(known[label]) and known[label]["mean"] > 0],
        "worse": [label for label in known if told_from_0(known[label]) and known[label]["mean"] < 0],
        "cannot be told from it": [label for label in known if not told_from_0(known[label])],
        "too few requests for an interval": [label for label in found if label not in known],
    }
    said = {label: f"{label} ({signed(known[label]['mean'])})" if label in known else label for label in found}
    return {what: [said[label] for label in labels] for what, labels in groups.items() if labels}


def _difference(variant: dict, other: str) -> dict | None:
    return variant["differences"][other]["session_auc"]
