import numpy as np
import pytest

from components.bulk_scorer.scorer import calls, ranks_of


def test_ranks_count_from_one_in_each_request_and_ties_keep_the_order_of_the_list():
    scores = np.array([0.2, 0.9, 0.2, 0.5, 0.5, 0.7, 0.1], np.float32)
    ranks, positions = ranks_of(scores, np.array([3, 1, 3]))
    assert ranks.tolist() == [2, 1, 3, 1, 2, 1, 3]
    assert positions.tolist() == [1, 2, 3, 1, 1, 2, 3]


@pytest.mark.parametrize("seed", range(20))
def test_calls_hold_every_request_once_and_few_items(seed):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, [2, 9, 60][seed % 3], rng.integers(1, 200))
    bounds = calls(sizes, limit=20)
    assert bounds[0] == 0
    assert bounds[-1] == len(sizes)
    items = np.add.reduceat(sizes, bounds[:-1])
    assert (items < 20 + sizes.max()).all()
    # As few as there can be, but for one that begins in the call before.
    assert len(items) <= -(-sizes.sum() // 20)
