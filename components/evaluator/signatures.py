"""What callers of one SavedModel would notice if another took its place."""

import os

import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

Signatures = dict[str, meta_graph_pb2.SignatureDef]


def read_signatures(folder: str) -> Signatures:
    """The signatures of a SavedModel by name; nothing is loaded."""
    path = os.path.join(folder, tf.saved_model.SAVED_MODEL_FILENAME_PB)
    with tf.io.gfile.GFile(path, "rb") as file:
        [graph, *_] = saved_model_pb2.SavedModel.FromString(file.read()).meta_graphs
    # The others are TensorFlow's own, such as __saved_model_init_op.
    return {name: signature for name, signature in graph.signature_def.items() if not name.startswith("__")}


def broken_calls(new: Signatures, old: Signatures) -> list[str]:
    """What a caller of ``old`` sends that ``new`` does not accept, and what it reads that is gone; a line each.

    Inputs must be the same: a server refuses a missing one as well as one too many. Outputs and signatures may be
    added, and a fixed size of an output may change, as the number of experts does in `gates`.
    """
    broken = []
    for name, was in sorted(old.items()):
        if name not in new:
            broken.append(f"the signature `{name}` is gone")
            continue
        before, after = _tensors(was.inputs), _tensors(new[name].inputs)
        broken += [f"`{name}` no longer takes `{key}`" for key in sorted(before.keys() - after.keys())]
        broken += [f"`{name}` asks for `{key}`, too" for key in sorted(after.keys() - before.keys())]
        broken += [
            f"`{name}` takes `{key}` as {_words(*after[key])}, was {_words(*before[key])}"
            for key in sorted(before.keys() & after.keys())
            if not _accepts(after[key], before[key])
        ]
        before, after = _tensors(was.outputs), _tensors(new[name].outputs)
        broken += [f"`{name}` no longer gives `{key}`" for key in sorted(before.keys() - after.keys())]
        broken += [
            f"`{name}` gives `{key}` as {_words(*after[key])}, was {_words(*before[key])}"
            for key in sorted(before.keys() & after.keys())
            if (after[key][0], _rank(after[key])) != (before[key][0], _rank(before[key]))
        ]
    return broken


def reads_the_same_log(new: Signatures, old: Signatures) -> bool:
    """Whether ``old`` finds all its features in the requests that ``new`` was made for."""
    needed, there = (_tensors(of["rank"].inputs) if "rank" in of else {} for of in (old, new))
    return all(name in there and there[name][0] == dtype for name, (dtype, _) in needed.items())


_Tensor = tuple[tf.DType, tf.TensorShape]


def _tensors(infos) -> dict[str, _Tensor]:
    return {name: (tf.as_dtype(info.dtype), tf.TensorShape(info.tensor_shape)) for name, info in infos.items()}


def _accepts(takes: _Tensor, sent: _Tensor) -> bool:
    """A dtype has to be the same; a size may be let go, and not fixed."""
    if takes[0] != sent[0] or takes[1].rank is None or sent[1].rank is None:
        return takes[0] == sent[0] and takes[1].rank is None
    sizes = zip(takes[1].as_list(), sent[1].as_list(), strict=False)
    return takes[1].rank == sent[1].rank and all(size in (None, given) for size, given in sizes)


def _rank(tensor: _Tensor) -> int | None:
    return tensor[1].rank


def _words(dtype: tf.DType, shape: tf.TensorShape) -> str:
    if shape.rank is None:
        return dtype.name
    return f"{dtype.name} [{', '.join('n' if size is None else str(size) for size in shape.as_list())}]"
