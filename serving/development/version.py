"""One version of a model, loaded: its signatures, and how they are called."""

import dataclasses
import os
import pathlib
from collections.abc import Set

import grpc
import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import prediction_log_pb2

from serving.cores import available_cores
from serving.development.errors import Refused, refused

DEFAULT_SIGNATURE = "serving_default"
WARM_UP_FILE = os.path.join("assets.extra", "tf_serving_warmup_requests")


@dataclasses.dataclass(frozen=True)
class Input:
    """An input of a signature: its dtype, and its shape with None where a length is free; None if its rank is."""

    dtype: tf.DType
    shape: tuple[int | None, ...] | None


class Version:
    """A loaded SavedModel, run through a session as TF Serving runs it.

    Args:
      number: the name of its folder.
      folder: the SavedModel. Its warm-up requests are run before the constructor returns.

    Raises:
      tf.errors.OpError, OSError, RuntimeError, Refused: the SavedModel cannot be loaded, or a warm-up request fails.
    """

    def __init__(self, number: int, folder: pathlib.Path):
        self.number = number
        # Many small operations: docs/deployment.md tells why one thread each.
        threads = tf.compat.v1.ConfigProto(
            intra_op_parallelism_threads=1, inter_op_parallelism_threads=available_cores()
        )
        with tf.Graph().as_default() as graph:
            self._session = tf.compat.v1.Session(graph=graph, config=threads)
            meta_graph = tf.compat.v1.saved_model.load(self._session, ["serve"], str(folder))
        self.signature_defs = dict(meta_graph.signature_def)
        self._signatures = {}
        self.warm_up_requests = self._warm_up(folder)

    def _warm_up(self, folder: pathlib.Path) -> int:
        path = folder / WARM_UP_FILE
        if not path.exists():
            return 0
        count = 0
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
            inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
            self.signature(request.model_spec.signature_name)(inputs)
            count += 1
        return count

    def signature(self, name: str) -> "Signature":
        """A signature by its name, the default one for "".

        Raises:
          Refused: there is none of that name.
        """
        name = name or DEFAULT_SIGNATURE
        if name not in self._signatures:
            if name not in self.signature_defs:
                raise Refused(f'Serving signature key "{name}" not found.', grpc.StatusCode.FAILED_PRECONDITION)
            self._signatures[name] = Signature(self._session, self.signature_defs[name])
        return self._signatures[name]


class Signature:
    """A signature ready to be called.

    Attributes:
      inputs: by name.
      outputs: their names.
    """

    def __init__(self, session: tf.compat.v1.Session, definition: meta_graph_pb2.SignatureDef):
        self.inputs = {
            name: Input(
                tf.as_dtype(info.dtype),
                None
                if info.tensor_shape.unknown_rank
                else tuple(None if dim.size < 0 else dim.size for dim in info.tensor_shape.dim),
            )
            for name, info in sorted(definition.inputs.items())
        }
        self.outputs = sorted(definition.outputs)
        graph = session.graph
        self._run = session.make_callable(
            [graph.as_graph_element(definition.outputs[name].name) for name in self.outputs],
            [graph.as_graph_element(definition.inputs[name].name) for name in self.inputs],
        )

    def __call__(self, inputs: dict[str, np.ndarray], outputs: list[str] | None = None) -> dict[str, np.ndarray]:
        """Runs the model.

        Args:
          inputs: arrays by name; strings as arrays of objects.
          outputs: the ones to give; all unless given.

        Returns:
          arrays by output name.

        Raises:
          Refused: the inputs do not fit the signature, or the model does not take them.
        """
        wanted = self._wanted(outputs)
        self.check_names(inputs.keys())
        for name, expected in self.inputs.items():
            _check(name, inputs[name], expected)
        try:
            values = self._run(*(inputs[name] for name in self.inputs))
        except tf.errors.OpError as error:
            raise refused(error) from error
        except UnicodeDecodeError as error:  # TensorFlow's message quotes bytes of the caller's
            raise Refused(error.object.decode("utf-8", "replace")) from error
        return {name: value for name, value in zip(self.outputs, values, strict=True) if name in wanted}

    def check_names(self, names: Set[str]) -> None:
        """Refuses inputs that are not just those of the signature."""
        if names != self.inputs.keys():
            raise Refused(_wrong_names(names, self.inputs.keys()))

    def _wanted(self, outputs: list[str] | None) -> list[str]:
        if not outputs:
            return self.outputs
        for name in outputs:
            if name not in self.outputs:
                raise Refused(
                    f"output tensor alias not found in signature: {name} Outputs expected to be in the set "
                    f"{{{','.join(self.outputs)}}}."
                )
            if outputs.count(name) > 1:
                raise Refused(f"duplicate output tensor alias: {name}")
        return outputs


def _wrong_names(given, expected) -> str:
    def listed(names):
        return "{" + ",".join(sorted(names)) + "}"

    return (
        f"input size does not match signature: {len(given)}!={len(expected)} len({listed(given)}) != "
        f"len({listed(expected)}). Sent extra: {listed(given - expected)}. "
        f"Missing but required: {listed(expected - given)}."
    )


def _check(name: str, value: np.ndarray, expected: Input) -> None:
    """Refuses an array of another dtype or shape, which a session would take and stumble over somewhere inside."""
    dtype = tf.string if value.dtype == object else tf.as_dtype(value.dtype)
    if dtype != expected.dtype:
        raise Refused(f"Expects arg[{name}] to be {expected.dtype.name} but {dtype.name} is provided")
    if expected.shape is None:
        return
    fits = len(value.shape) == len(expected.shape) and all(
        size in (None, given) for size, given in zip(expected.shape, value.shape, strict=True)
    )
    if not fits:
        shape = "[" + ",".join("?" if size is None else str(size) for size in expected.shape) + "]"
        raise Refused(f"Expects arg[{name}] to have shape {shape} but {list(value.shape)} is provided")
