"""What of a log nothing can be learnt from, or judged by, however sound each value is."""

from collections.abc import Sequence
from typing import Any

from common.splits import EARLIER

_LABEL = "look at how `{label}` is read: `data.columns`, `data.grades`"
_SPLIT = "or divide the log otherwise: `data.split`"


def faults(ingestion: dict[str, Any], labels: Sequence[str]) -> list[str]:
    """A line for each split that leaves nothing to learn or to judge.

    Args:
      ingestion: the summary of ClickLogExampleGen, see `quarantine.read_summary`.
      labels: those that are trained; models are judged by the first.

    Returns:
      the lines, each with split, counts and remedy; [] if there is none. A split without a request is no matter of
      this: it is an anomaly of the statistics.
    """
    found = []
    for split, requests in ingestion["requests"].items():
        if split == EARLIER or not requests:
            continue
        items = ingestion["items"][split]
        if items == requests:
            found.append(
                f"{split}: each of its {requests:,} requests has one item only, which nothing can be ranked against; "
                "is the right column read as the request's name (`data.columns`)? Set `data.min_items: 2` to leave out "
                "such requests"
            )
            continue
        of = f"of its {items:,} items in {requests:,} requests"
        # What the other tasks are learnt from stands in the train split; by them nothing is judged.
        for label in labels if split == "train" else labels[:1]:
            counts, remedy = ingestion["labels"][label][split], f"{_LABEL.format(label=label)}; {_SPLIT}"
            if not counts["positive_items"]:
                found.append(f"{split}: none {of} has a positive {label}; {remedy}")
            elif not counts["requests_with_both"] and label == labels[0]:
                found.append(
                    f"{split}: {counts['positive_items']:,} {of} have a positive {label}, and no request has an item "
                    f"with and one without, so that there is nothing to rank; does the log hold what was shown and not "
                    f"taken? If so, {remedy}"
                )
    return found
