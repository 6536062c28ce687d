"""The training's curves, from TensorBoard's event files."""

import os

import numpy as np
import tensorflow as tf
from tensorboard.backend.event_processing import event_accumulator

from reporting.content import Curve
from reporting.estimates import number

_POINTS = 500


def training_curves(model_run: str) -> list[Curve]:
    """All scalars that the training wrote, each of at most 500 points: evenly chosen, first and last among them.

    Args:
      model_run: the folder that holds TensorBoard's logs of ``train`` and ``valid``; a log that is not there has no
        curve.
    """
    curves = []
    for split in ("train", "valid"):
        folder = os.path.join(model_run, split)
        if not tf.io.gfile.exists(folder):
            continue
        logs = event_accumulator.EventAccumulator(folder, {event_accumulator.TENSORS: 0})  # 0: all
        logs.Reload()
        for tag in logs.Tags()["tensors"]:
            # A training that was resumed writes a step again: the later event is the one that counts.
            values = {event.step: float(tf.make_ndarray(event.tensor_proto)) for event in logs.Tensors(tag)}
            steps = np.array(sorted(values))
            chosen = steps[np.unique(np.linspace(0, len(steps) - 1, min(len(steps), _POINTS)).astype(int))].tolist()
            curves.append(
                Curve(
                    name=f"{split}/{tag}", split=split, steps=chosen, values=[number(values[step]) for step in chosen]
                )
            )
    return curves
