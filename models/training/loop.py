"""Fits a ranker: steps and validations, of one process or of several replicas."""

import functools
import math
import time
from collections.abc import Callable

import tensorflow as tf

from common.progress import keep, progress
from models.distributed.strategies import is_chief
from models.inputs.reading import count_requests, read_requests
from models.ranker.model import Ranker
from models.training.checkpoints import TrainingState
from models.training.config import TrainConfig
from models.training.optimizers import make_optimizer
from models.training.progress_callback import ProgressCallback
from models.training.result import TrainingResult
from models.training.watch import Watch


def fit(
    ranker: Ranker,
    train_files: list[str],
    valid_files: list[str],
    feature_spec: dict,
    config: TrainConfig,
    checkpoint_dir: str,
    log_dir: str,
    prepare: Callable[[dict], dict] | None = None,
    inspect: Callable[[Ranker, dict], object] | None = None,
) -> TrainingResult:
    """Trains ``ranker`` in place and leaves it with the weights of its best validation.

    Of several workers, all call it alike; the chief alone writes, and is left with the best weights.

    Args:
      ranker: not yet compiled, made in the scope of the strategy that it is to be trained by.
      train_files, valid_files: glob patterns of transformed requests.
      feature_spec: to parse them.
      config: see `TrainConfig`.
      checkpoint_dir: if it holds checkpoints of a killed run, training goes on from the last.
      log_dir: for TensorBoard.
      prepare: applied to each batch of both splits, see `read_requests`.
      inspect: called after each validation, by the chief, with the ranker and a batch of the validation split, the same
        each time; what it gives to `tf.summary` is TensorBoard's run ``inside``.

    Raises:
      TrainingFault: if the training fails, see `Watch`; the checkpoints are those from before.
      ValueError: if a split has no request, or a batch has fewer requests than there are replicas.
    """
    started = time.monotonic()
    requests, to_validate = count_requests(train_files), count_requests(valid_files)
    for split, files, count in (("train", train_files, requests), ("valid", valid_files, to_validate)):
        if not count:
            raise ValueError(f"the split {split} has no request ({', '.join(files)}); see `data.split`")
    # To Keras an epoch is the stretch between two validations.
    stretches = config.epochs * config.validations_per_epoch
    steps_per_stretch = max(1, requests * config.epochs // config.batch_requests // stretches)
    total_steps = stretches * steps_per_stretch
    strategy = ranker.distribute_strategy
    replicas = strategy.num_replicas_in_sync
    if config.batch_requests < replicas:
        raise ValueError(
            f"`train.batch_requests` must be at least 1 for each of the {replicas} replicas of "
            f"`train.strategy: {config.strategy}`. Received: {config.batch_requests}"
        )
    feature_spec = {name: spec for name, spec in feature_spec.items() if name in ranker.features}

    def batches_of(files, shard=(0, 1, 1), **options):
        return read_requests(files, feature_spec, config.batch_requests, shard=shard, prepare=prepare, **options)

    [sample] = batches_of(valid_files).take(1)
    with strategy.scope():
        ranker.compile(optimizer=make_optimizer(config, total_steps))
        # All variables must be there before a checkpoint is restored.
        ranker(sample)
        ranker.optimizer.build(ranker.trainable_variables)
    state = TrainingState(ranker, checkpoint_dir, config.patience)
    first_step = state.restore()
    if first_step:
        progress.info("resuming from step %d of %d", first_step, total_steps)
        keep(f"the checkpoint of step {first_step:,}")
    report = ProgressCallback(log_dir, total_steps, inspect and functools.partial(inspect, ranker, sample))
    if not state.stopped and first_step < total_steps:
        train = _for_all(
            strategy,
            lambda shard: batches_of(
                train_files,
                shard,
                shuffle_requests=config.shuffle_requests,
                seed=config.seed,
                repeat=None,
                skip_batches=first_step,
                deal_by=ranker.labels[0].name,
                pieces=replicas,
            ).apply(tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)),
        )
        valid = _for_all(strategy, lambda shard: batches_of(valid_files, shard))
        read_again = [functools.partial(batches_of, files) for files in (train_files, valid_files)]
        ranker.fit(
            train,
            steps_per_epoch=steps_per_stretch,
            initial_epoch=first_step // steps_per_stretch,
            epochs=stretches,
            validation_data=valid,
            # Keras must be told how long a stream for several replicas is.
            validation_steps=math.ceil(to_validate / config.batch_requests / replicas) if replicas > 1 else None,
            verbose=0,
            # The watch comes first, so that no checkpoint is written of a training that fails.
            callbacks=[Watch(config, *read_again), report, state],
        )
    steps = int(ranker.optimizer.iterations.numpy())
    if is_chief():
        state.restore_best()
    return TrainingResult(
        steps=steps,
        requests=requests,
        best_step=int(state.best_step.numpy()),
        session_auc=float(state.best.numpy()),
        seconds=time.monotonic() - started,
        items_per_second=report.items_per_second,
        resumed_from_step=first_step,
    )


def _for_all(strategy: tf.distribute.Strategy, read: Callable[[tuple[int, int, int]], tf.data.Dataset]):
    """What ``read`` gives for the shard of this process, dealt in turn to its replicas."""
    replicas = strategy.num_replicas_in_sync
    if replicas == 1:
        return read((0, 1, 1))

    def shard(context):
        of_a_process = replicas // context.num_input_pipelines
        return read((context.input_pipeline_id * of_a_process, of_a_process, replicas))

    return strategy.distribute_datasets_from_function(shard)
