"""From tables of requests to serialized tf.Examples, the same bytes for the same requests."""

import numpy as np
import pyarrow as pa
from tfx_bsl.coders import example_coder

from components.click_log_example_gen.arrow import lists_of, one_array


def encode_examples(requests: pa.Table) -> list[bytes]:
    """One tf.Example a request; every column of the table is a feature, in the table's order.

    tfx_bsl encodes in C++, but the order of an example's features is that of a protobuf map, which differs from run
    to run. So each feature is encoded alone, and the pieces are put together here: an Example is the field 1 (its
    Features), whose content is one entry a feature, one after the other.
    """
    encoder = example_coder.RecordBatchToExamplesEncoder()
    pieces = []
    for name in requests.column_names:
        column = _as_lists(one_array(requests[name]))
        encoded = encoder.encode(pa.RecordBatch.from_arrays([column], [name]))
        pieces.append([piece[2 if len(piece) < 130 else _header(len(piece)) :] for piece in encoded])
    contents = map(b"".join, zip(*pieces, strict=True))
    return [b"\x0a" + _varint(len(content)) + content for content in contents]


def _as_lists(column: pa.Array) -> pa.Array:
    if not pa.types.is_large_list(column.type):
        column = lists_of(np.arange(len(column) + 1), column)
    if pa.types.is_large_string(column.type.value_type):
        offsets, values = column.offsets, column.values
        column = pa.LargeListArray.from_arrays(offsets, values.cast(pa.large_binary()))
    return column


def _header(size: int) -> int:
    """Bytes of the tag and the length in front of the content of an encoded Example of ``size`` bytes."""
    varint = 1
    while size - 1 - varint >= 1 << (7 * varint):
        varint += 1
    return 1 + varint


def _varint(number: int) -> bytes:
    out = bytearray()
    while number >= 128:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)
