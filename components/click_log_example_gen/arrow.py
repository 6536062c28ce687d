"""Small tools for Arrow columns."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

TEXT = pa.large_string()
TYPES = {"int": pa.int64(), "float": pa.float32(), "bytes": TEXT}


def one_array(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    """A column as one array."""
    if isinstance(values, pa.ChunkedArray):
        chunks = values.chunks or [pa.nulls(0, values.type)]
        return chunks[0] if len(chunks) == 1 else pa.concat_arrays(chunks)
    return values


def mask_of(values: pa.Array) -> np.ndarray:
    """A boolean array as numpy, null as False."""
    return pc.fill_null(values, False).to_numpy(zero_copy_only=False)


def is_list(type: pa.DataType) -> bool:
    """Whether the values are lists."""
    return pa.types.is_list(type) or pa.types.is_large_list(type) or pa.types.is_fixed_size_list(type)


def flat_values(lists: pa.Array) -> pa.Array:
    """The values of all lists. (`list_flatten` alone keeps what stands in a missing list of fixed size.)"""
    return pc.list_flatten(pc.drop_null(lists))


def to_python(values: pa.Array) -> list:
    """As `to_pylist`; what Python has no type for, as a time in the year 292,277, as Arrow prints it."""
    try:
        return values.to_pylist()
    except Exception:  # of any type, it depends on the column's
        return [_to_python(values.slice(i, 1)) for i in range(len(values))]


def _to_python(one: pa.Array):
    try:
        return one[0].as_py()
    except Exception:
        return one.to_string().strip("[]\n ")


def shown(values: pa.Array | pa.ChunkedArray, i: int) -> str:
    """A value for a message; a long one is cut."""
    text = repr(to_python(one_array(values.slice(i, 1)))[0])
    return text if len(text) <= 60 else text[:57] + "..."


def codes_of(values: pa.Array | pa.ChunkedArray) -> tuple[np.ndarray, pa.Array]:
    """(int64 code of each value, the distinct values); missing is a value as well."""
    encoded = one_array(values)
    if not pa.types.is_dictionary(encoded.type):
        encoded = encoded.dictionary_encode(null_encoding="encode")
    return pc.fill_null(encoded.indices, len(encoded.dictionary)).to_numpy().astype(np.int64), encoded.dictionary


def decoded(table: pa.Table) -> pa.Table:
    """A table without dictionaries."""
    columns = [one_array(column) for column in table.columns]
    columns = [column.dictionary_decode() if pa.types.is_dictionary(column.type) else column for column in columns]
    return pa.table(dict(zip(table.column_names, columns, strict=True)))


def filled(values: pa.Array, dtype: str) -> pa.Array:
    """Missing values written out: NaN and ""."""
    if dtype == "int":
        return values
    return pc.fill_null(values, pa.scalar("" if dtype == "bytes" else float("nan"), TYPES[dtype]))


def lists_of(offsets: np.ndarray, values: pa.Array) -> pa.Array:
    """A column of lists: ``values`` cut at ``offsets`` int64 [rows + 1]."""
    return pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), values)


def last_of(sizes: np.ndarray, flat: pa.Array, length: int) -> pa.Array:
    """A column of lists with the last ``length`` values of each list of ``sizes`` in ``flat``."""
    kept = np.minimum(sizes, length)
    return lists_of(*ranges_of(flat, np.cumsum(sizes) - kept, kept))


def ranges_of(flat: pa.Array, starts: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, pa.Array]:
    """(offsets, values) of the ranges of ``flat`` that begin at ``starts`` and are ``sizes`` long."""
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    index = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], sizes)
    return offsets, flat.take(pa.array(index, pa.int64()))
