"""A training by one strategy, for `benchmarks.strategies`: what the Trainer component runs, in a process of its own."""

import json
import sys
import types

import tensorflow as tf

from common.files import TRAINING_FILE
from models.training.entry import run_fn


def main() -> None:
    """Trains as its one argument says and answers in the last line of standard output, both JSON.

    ``fn_args`` (as `run_fn` takes them) and ``devices``, into how many the processor is divided.
    """
    settings = json.loads(sys.argv[1])
    if settings["devices"] > 1:
        devices = [tf.config.LogicalDeviceConfiguration()] * settings["devices"]
        tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], devices)
    fn_args = types.SimpleNamespace(**settings["fn_args"])
    run_fn(fn_args)
    with open(f"{fn_args.model_run_dir}/{TRAINING_FILE}", encoding="utf-8") as file:
        result = json.load(file)
    figures = ("steps", "items_per_second", "seconds")
    print(json.dumps({name: result[name] for name in figures} | _last_means(fn_args.model_run_dir)))


def _last_means(folder: str) -> dict[str, float]:
    """What TensorBoard shows of the last stretch of training and of the last validation."""
    found = {}
    for split, names in (("train", ["loss/ranking_loss"]), ("valid", ["log_loss", "session_auc"])):
        [path] = tf.io.gfile.glob(f"{folder}/{split}/*")
        for event in tf.compat.v1.train.summary_iterator(path):
            found |= {
                f"{split}_{value.tag.rpartition('/')[2]}": float(tf.make_ndarray(value.tensor))
                for value in event.summary.value
                if value.tag in names
            }
    return found


if __name__ == "__main__":
    main()
