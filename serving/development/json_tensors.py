"""The JSON of TF Serving's REST interface: requests into arrays, arrays into answers."""

import base64
import binascii
import json
from collections.abc import Mapping

import numpy as np
import orjson
import tensorflow as tf

from serving.development.errors import Refused
from serving.development.version import Input, Signature

_NAMES = {
    str: "String",
    int: "Number",
    float: "Number",
    bool: "Bool",
    list: "Array",
    dict: "Object",
    type(None): "Null",
}
_LONGEST_VALUE = 60
_DEEPEST = 32  # NumPy's arrays have no more dimensions


def parse(body: bytes) -> dict:
    """The JSON object of a request. NaN and Infinity, which JSON lacks, are numbers here as in TF Serving.

    Raises:
      Refused: it is no JSON object.
    """
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        try:
            content = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise Refused(f"JSON Parse error: {error}"[:200]) from error
    if not isinstance(content, dict):
        raise Refused("Request must be a JSON object")
    return content


def read_inputs(content: dict, signature: Signature) -> tuple[dict[str, np.ndarray], int | None]:
    """The inputs of a signature from a request in column form ("inputs") or in row form ("instances").

    Args:
      content: the request.
      signature: the one that is asked for.

    Returns:
      arrays by input name; and the number of rows, None in column form.

    Raises:
      Refused: naming the key, if they do not fit.
    """
    expected = signature.inputs
    if ("inputs" in content) == ("instances" in content):
        raise Refused("Request must hold one of the keys 'inputs' (column form) and 'instances' (row form)")
    if "inputs" in content:
        columns = content["inputs"]
        if not (isinstance(columns, dict) and not _is_base64(columns)):
            columns = {_only(expected): columns}
        signature.check_names(columns.keys())
        return {name: _array(name, value, expected[name]) for name, value in columns.items()}, None
    rows = content["instances"]
    if not isinstance(rows, list) or not rows:
        raise Refused("'instances' must be a list of at least one element")
    if not (isinstance(rows[0], dict) and not _is_base64(rows[0])):
        name = _only(expected)
        rows = [{name: row} for row in rows]
    for place, row in enumerate(rows):
        if not isinstance(row, dict) or row.keys() != rows[0].keys():
            raise Refused(f"Failed to process element: {place} of 'instances' list. Elements must have the same keys")
    signature.check_names(rows[0].keys())
    return {name: _array(name, [row[name] for row in rows], expected[name]) for name in rows[0]}, len(rows)


def answer(outputs: dict[str, np.ndarray], rows: int | None) -> dict:
    """The JSON of the outputs, for orjson with its NumPy option.

    Args:
      outputs: arrays by name.
      rows: as `read_inputs` gives it: how many predictions there must be.

    Raises:
      Refused: an output has not as many rows.
    """
    columns = {name: _plain(name, values) for name, values in outputs.items()}
    if rows is None:
        return {"outputs": columns if len(columns) > 1 else next(iter(columns.values()))}
    for name, values in outputs.items():
        if not values.shape or values.shape[0] != rows:
            got = values.shape[0] if values.shape else 0
            raise Refused(f"Tensor name: {name} has inconsistent batch size: {got} expecting: {rows}")
    if len(columns) == 1:
        return {"predictions": next(iter(columns.values()))}
    return {"predictions": [{name: values[row] for name, values in columns.items()} for row in range(rows)]}


def _only(expected: Mapping[str, Input]) -> str:
    if len(expected) != 1:
        raise Refused(
            f"inputs must be a JSON object with a key for each input: the signature has {len(expected)}, "
            f"{', '.join(expected)}"
        )
    return next(iter(expected))


def _array(name: str, value, expected: Input) -> np.ndarray:
    flat, shape = [], []
    level = value
    while isinstance(level, list):
        shape.append(len(level))
        level = level[0] if level else None
        if len(shape) > _DEEPEST:
            raise Refused(f"{name}: lists are more than {_DEEPEST} deep")
    _flatten(name, value, tuple(shape), flat)
    try:
        if expected.dtype == tf.string:
            array = np.empty(len(flat), object)
            array[:] = [_bytes(name, element) for element in flat]
        else:
            _check_numbers(name, flat, expected.dtype)
            with np.errstate(over="ignore"):  # too large for float32 is infinite, which the model takes for missing
                array = np.array(flat, expected.dtype.as_numpy_dtype)
    except (OverflowError, ValueError, TypeError) as error:
        raise Refused(f"{name}: {error}"[:200]) from error
    return array.reshape(shape)


def _flatten(name: str, value, shape: tuple[int, ...], flat: list) -> None:
    """Appends what stands in nested lists, all of which must be of ``shape``."""
    if not shape:
        if isinstance(value, list):
            raise Refused(f"{name}: Encountered list at unexpected level: elements must be equally deep")
        flat.append(value)
    elif not isinstance(value, list) or len(value) != shape[0]:
        raise Refused(f"{name}: lists must be equally long and equally deep, shape {list(shape)} of the first")
    elif len(shape) == 1:
        flat.extend(value)
    else:
        for element in value:
            _flatten(name, element, shape[1:], flat)


def _check_numbers(name: str, flat: list, dtype: tf.DType) -> None:
    allowed = {bool} if dtype.is_bool else {int} if dtype.is_integer else {int, float}
    if set(map(type, flat)) <= allowed:
        return
    wrong = next(element for element in flat if type(element) not in allowed)
    raise Refused(_wrong_type(name, wrong, dtype))


def _bytes(name: str, element) -> bytes:
    if isinstance(element, str):
        return element.encode("utf-8", "surrogatepass")
    if not _is_base64(element):
        raise Refused(_wrong_type(name, element, tf.string))
    try:
        return base64.b64decode(element["b64"], validate=True)
    except (binascii.Error, ValueError, TypeError) as error:
        raise Refused(f"{name}: Unable to base64 decode: {error}") from error


def _is_base64(element) -> bool:
    return isinstance(element, dict) and element.keys() == {"b64"}


def _wrong_type(name: str, element, dtype: tf.DType) -> str:
    shown = "" if isinstance(element, (list, dict)) else f"JSON Value: {json.dumps(element)[:_LONGEST_VALUE]} "
    return f"{name}: {shown}Type: {_NAMES[type(element)]} is not of expected type: {dtype.name}"


def _plain(name: str, values: np.ndarray):
    if values.dtype != object:
        return np.ascontiguousarray(values) if values.shape else values.item()

    def text(element: bytes):
        if name.endswith("_bytes"):  # TF Serving's rule for what is no text
            return {"b64": base64.b64encode(element).decode()}
        return element.decode("utf-8", "replace")

    return np.vectorize(text, otypes=[object])(values).tolist() if values.size else values.tolist()
