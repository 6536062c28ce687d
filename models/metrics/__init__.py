"""Metrics of rankings in padded lists, for Keras and for TensorFlow Model Analysis alike.

All take y_true, the grades [B, n] with -1 where a list is padded, and y_pred, the probabilities of a positive grade
[B, n], anything where padded. ``sample_weight`` is accepted, since TFMA passes it, and has no effect.

The state of each is a sum (TFMA adds up the states of parts) and of one shape (TFMA stacks the weights before it
adds). No class is named like one of TFMA's own, which would take its place without a word. In TFMA's configuration a
metric needs its name: it goes by its class otherwise ("request_ndcg", not "ndcg_at_10").

Where nothing counts (no request with a positive item in a slice, say) the result is NaN, not 0, the worst of figures.
"""

from models.metrics.items import ItemAUC, ItemCalibration, ItemLogLoss
from models.metrics.requests import RequestMRR, RequestNDCG
from models.metrics.session_auc import SessionAUC, SessionCount, SessionTies

__all__ = [
    "ItemAUC",
    "ItemCalibration",
    "ItemLogLoss",
    "RequestMRR",
    "RequestNDCG",
    "SessionAUC",
    "SessionCount",
    "SessionTies",
]
