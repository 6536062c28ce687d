"""What verbs share: the flags that name a run, and refusals."""

from absl import flags

CONFIG = flags.DEFINE_string("config", "pipeline/configs/demo.yaml", "The run's YAML file.")
DATA = flags.DEFINE_string("data", None, "The folder of the log; stands in for `data.path`.")
SET = flags.DEFINE_multi_string("set", [], "Overrides a key of the configuration, as in model.experts=16; repeatable.")
RUNS = flags.DEFINE_string("runs", "runs", "The folder that holds a folder for each run.")
HOST = flags.DEFINE_string(
    "host",
    "127.0.0.1",
    "Where the ports open; tensorflow_model_server opens them on all addresses of the machine.",
)
PORT = flags.DEFINE_integer("port", None, "The port; unless given, 8500 for gRPC, 6006 for TensorBoard.", 0, 65_535)
OUT = flags.DEFINE_string("out", None, "The folder or file to write.")


class Refused(Exception):
    """Something the user can mend; its message is all that is shown."""
