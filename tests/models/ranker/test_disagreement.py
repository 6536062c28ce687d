"""Which experts disagree: the choice follows the gate that chose the active ones."""

import numpy as np
import tensorflow as tf

from models.inputs.reading import read_requests
from models.ranker import model as ranker_module
from models.ranker.config import ModelConfig
from models.ranker.model import Ranker


def test_the_lowest_experts_are_those_of_the_noisy_gate_that_chose_the_active_ones(small_log, monkeypatch):
    config = ModelConfig(variant="adv_moe", adv_pick="lowest", experts=6, top_k=2, hidden=[8], embedding_size=4)
    ranker = Ranker(small_log.schema, small_log.inputs, config)
    ranker.compile(tf.keras.optimizers.SGD(0.1))
    [batch] = read_requests(small_log.train_files, small_log.feature_spec, 64).take(1)
    seen, pick = [], ranker_module.pick_disagreeing

    def record(logits, active, *arguments):
        seen.append((logits.numpy(), active.numpy()))
        return pick(logits, active, *arguments)

    monkeypatch.setattr(ranker_module, "pick_disagreeing", record)
    ranker.compute_loss(batch, training=True)
    [(logits, active)] = seen
    # Noise of scale ln 2 reorders six experts in nearly every request, so clean logits would not fit the active ones.
    worst_active, best_idle = (
        np.where(active, logits, np.inf).min(axis=1),
        np.where(active, -np.inf, logits).max(axis=1),
    )
    assert (worst_active >= best_idle).all()
