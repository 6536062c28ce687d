"""What the replicas of a training tell each other, so that their step is the one that a single process would take.

A replica is a device that trains on its piece of each batch: one of `tf.distribute`'s. A loss of the whole batch is the
sum of the replicas' parts of it, and so is its gradient. Where there is one replica, nothing here computes anything.
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf


class Share(NamedTuple):
    """A replica's piece of a batch; all scalars.

    Attributes:
      requests, items: its part of all of the batch's, float32 in [0, 1].
      first_request: how many requests the replicas before it have, int32.
      all_requests: of the batch, int32.
    """

    requests: tf.Tensor
    items: tf.Tensor
    first_request: tf.Tensor
    all_requests: tf.Tensor


class SharedSeed(NamedTuple):
    """A seed of random numbers of which each replica takes its requests' rows.

    Attributes:
      seed: [2] int32.
      share: the replica's piece of the batch.
    """

    seed: tf.Tensor
    share: Share


def replicas() -> int:
    """How many replicas take a step together."""
    return 1 if tf.distribute.in_cross_replica_context() else tf.distribute.get_strategy().num_replicas_in_sync


def total(values: tf.Tensor) -> tf.Tensor:
    """The sum over all replicas, of one shape on all of them; all must call it, in the same order.

    Its gradient is that of the sum of what all replicas make of it.
    """
    if replicas() == 1:
        return values
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, values)


def share_of(requests: tf.Tensor, items: tf.Tensor) -> Share | None:
    """The piece of a replica with so many requests and items; None where it has the whole batch."""
    if replicas() == 1:
        return None
    place = tf.distribute.get_replica_context().replica_id_in_sync_group
    mine = tf.stack([requests, items])[:, tf.newaxis] * tf.one_hot(place, replicas(), dtype=tf.int32)
    of_all = total(mine)
    requests, items = tf.unstack(tf.cast(of_all, tf.float32))
    parts = tf.gather(requests, place) / tf.reduce_sum(requests), tf.gather(items, place) / tf.reduce_sum(items)
    return Share(*parts, tf.reduce_sum(of_all[0, :place]), tf.reduce_sum(of_all[0]))


def draw(random: Callable, shape: tf.Tensor, seed: tf.Tensor | SharedSeed) -> tf.Tensor:
    """Random numbers for each request of a batch, the rows; those of a shared seed do not depend on who has which.

    Args:
      random: `tf.random.stateless_normal` or the like.
      shape: the first of it the number of requests.
      seed: [2] int32, or shared.
    """
    if not isinstance(seed, SharedSeed):
        return random(shape, seed)
    share = seed.share
    rows = random(tf.concat([share.all_requests[tf.newaxis], shape[1:]], axis=0), seed.seed)
    return rows[share.first_request : share.first_request + shape[0]]


def fold_in(seed: tf.Tensor | SharedSeed, number: int) -> tf.Tensor | SharedSeed:
    """Another seed for each number."""
    if isinstance(seed, SharedSeed):
        return SharedSeed(fold_in(seed.seed, number), seed.share)
    return tf.random.experimental.stateless_fold_in(seed, number)
