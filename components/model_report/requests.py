"""Which of the test requests a report keeps: of more than 200,000 those whose hashes are the smallest, so that two runs
on the same log keep the same ones."""

import numpy as np
from pandas.util import hash_array

from components.model_report.split import EvaluatedSplit
from reporting.judged_requests import Division, JudgedRequests, part

KEPT = 200_000


def judged_requests(
    split: EvaluatedSplit, nodes: np.ndarray, divided: list[Division], kept: int = KEPT
) -> JudgedRequests:
    """What is kept of an evaluated split; ``kept`` requests at most."""
    every = JudgedRequests(
        requests=split.requests,
        contents=split.contents,
        items=split.lengths,
        positives=split.positives,
        ranking=split.rankings["model"],
        nodes=nodes,
        divided=divided,
        whole=len(split.lengths),
    )
    # Hashed again, so that what is kept has nothing to do with how ids are hashed elsewhere.
    order = np.argsort(hash_array(split.requests), kind="stable")[:kept]
    return part(every, order)
