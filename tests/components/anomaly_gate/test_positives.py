import re

import pytest

from components.anomaly_gate.positives import faults

FINE = {"positive_items": 30, "requests_with_positive": 20, "requests_with_both": 15}
NONE = dict.fromkeys(FINE, 0)
ALL = {"positive_items": 400, "requests_with_positive": 100, "requests_with_both": 0}
SPLITS = ("train", "valid", "test", "earlier")


def _log(items=400, purchase=FINE, **click):
    """A summary of ingestion, with the counts of the labels and of the splits of the first."""
    return {
        "requests": dict.fromkeys(SPLITS, 100),
        "items": dict.fromkeys(SPLITS, items),
        "labels": {
            "click": {split: click.get(split, FINE) for split in SPLITS},
            "purchase": dict.fromkeys(SPLITS, purchase),
        },
    }


@pytest.mark.parametrize("split", ["train", "valid", "test"])
@pytest.mark.parametrize(
    ("counts", "found"),
    [
        (NONE, "none of its 400 items in 100 requests has a positive click; look at .*`data.columns`.*`data.split`"),
        (ALL, "400 of its 400 items in 100 requests have a positive click, and no request has an item with and one wi"),
    ],
)
def test_each_split_must_have_something_to_rank(split, counts, found):
    [line] = faults(_log(**{split: counts}), ["click"])
    assert re.match(f"{split}: {found}", line)


@pytest.mark.parametrize(
    ("log", "labels", "lines"),
    [
        (_log(), ["click", "purchase"], []),
        (_log(earlier=NONE), ["click"], []),
        (_log(purchase=NONE), ["click"], []),
        # What the other tasks are learnt from stands in train; by them nothing is judged.
        (_log(purchase=NONE), ["click", "purchase"], ["train: none of its 400 items in 100 requests has a"]),
        (_log(purchase=ALL), ["click", "purchase"], []),
        (_log(purchase=ALL), ["purchase"], ["train: 400 of", "valid: 400 of", "test: 400 of"]),
        (_log(items=100, train=NONE), ["click"], [f"{split}: each of its 100" for split in SPLITS[:3]]),
    ],
)
def test_what_stops_follows_from_the_labels_that_are_trained(log, labels, lines):
    found = faults(log, labels)
    assert len(found) == len(lines)
    assert all(fault.startswith(line) for fault, line in zip(found, lines, strict=True))
