import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from components.bulk_scorer.scorer import ItemScorer, ranks_of
from components.scoring import Shard, calls
from tests.models.conftest import to_example


def test_scores_do_not_depend_on_how_requests_are_cut_into_calls(small_log, exported, tmp_path):
    requests = str(tmp_path / "requests.gz")
    with tf.io.TFRecordWriter(requests, options="GZIP") as writer:
        for request in small_log.requests[:50]:
            writer.write(to_example(request, small_log.schema).SerializeToString())
    tables = []
    for items_a_call in (10, 16_384):
        scorer = ItemScorer(str(exported), 1, "item_id", items_a_call)
        shard = Shard(requests, str(tmp_path / f"{items_a_call}.parquet"))
        [count] = scorer.run_inference([shard], scorer.load_model())
        assert count == {"requests": 50, "items": sum(len(request["item_id"]) for request in small_log.requests[:50])}
        tables.append(pq.read_table(shard.scores).to_pandas())
    assert tables[0]["item_id"].tolist() == [item for request in small_log.requests[:50] for item in request["item_id"]]
    pd.testing.assert_frame_equal(*tables, check_exact=False, rtol=1e-6)


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
