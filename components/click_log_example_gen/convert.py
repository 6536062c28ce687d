"""From columns as they are read (text, or what JSON and Parquet hold) to the types of the schema, in whole columns.

Everything is Arrow and numpy; Python sees single values only to word a message about them.
"""

from collections.abc import Callable

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from components.click_log_example_gen.arrow import (
    TEXT,
    TYPES,
    flat_values,
    is_list,
    mask_of,
    one_array,
    shown,
    to_python,
)
from components.click_log_example_gen.plan import FLOAT32_MAX, Field
from components.click_log_example_gen.quarantine import Findings

UNIT = "\x1f"  # between the values of a history until its requests are put together

Problem = tuple[np.ndarray, str, Callable[[int], str]]  # bool [values], reason, detail of a value's index

_WHOLE = r"^[+-]?\d{1,18}$"
_LONG = r"^[+-]?\d{19,}$"  # may or may not fit into 64 bits
_NAN = r"(?i)^-?nan(\([a-z0-9_]*\))?$"  # as Arrow reads it
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_YEAR_1, _YEAR_10000 = -62135596800, 253402300800  # in seconds: what is not between was given in another unit
_TICKS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}  # a second


def column_of(table: pa.Table, field: Field) -> pa.Array:
    """The column a field is read from; of several, their texts with "|" between. Null where the file has none."""
    columns = [one_array(table[name]) if name in table.column_names else pa.nulls(len(table)) for name in field.columns]
    if len(columns) == 1:
        return columns[0]
    columns, broken = zip(*map(_plain, columns), strict=True)
    texts = [_text(column) for column in columns]
    some = pc.or_kleene(pc.is_valid(texts[0]), pc.is_valid(texts[1]))
    for text in texts[2:]:
        some = pc.or_kleene(some, pc.is_valid(text))
    joined = pc.binary_join_element_wise(*[pc.fill_null(t, "") for t in texts], pa.scalar("|", TEXT))
    joined = pc.if_else(some, joined, pa.scalar(None, TEXT))
    if any(mask is not None for mask in broken):
        bad = np.any([mask for mask in broken if mask is not None], axis=0)
        return pc.if_else(pa.array(bad), pa.scalar(b"\xff", pa.large_binary()), joined.cast(pa.large_binary()))
    return joined


def parse_field(field: Field, values: pa.Array, separator: str, time_format: str, findings: Findings) -> pa.Array:
    """A field with one value a row; faults go to ``findings``.

    Args:
      field: what is wanted.
      values: [rows] as read.
      separator: between the values of a history in one text.
      time_format: `data.timestamp_format`.
      findings: of the rows.

    Returns:
      An array of `TYPES` [rows], null where the value is missing or at fault; a history as text, its values
      with `UNIT` between.
    """
    if field.kind == "history":
        array, problems = _history_text(field, values, separator)
    else:
        array, problems = _parse(field, values, time_format)
    for mask, reason, detail in problems:
        findings.add(mask, reason, detail)
    return array


def parse_repeated(field: Field, values: pa.Array, separator: str, time_format: str, findings: Findings) -> pa.Array:
    """As `parse_field`, for a field whose values stand in many rows: each distinct value is parsed once.

    Returns:
      As `parse_field`; texts as a dictionary, whose values are distinct.
    """
    if not pa.types.is_dictionary(values.type):
        if field.kind == "history":
            values, separator = parse_field(field, values, separator, time_format, findings), UNIT
        else:
            values, problems = _single(field, values)
            for mask, reason, detail in problems:
                findings.add(mask, reason, detail)
        values = values.dictionary_encode()
    distinct = pa.concat_arrays([values.dictionary, pa.nulls(1, values.dictionary.type)])
    index = pc.fill_null(values.indices, len(distinct) - 1).to_numpy()
    of_distinct = Findings(len(distinct))
    parsed = parse_field(field, distinct, separator, time_format, of_distinct)
    for rows, reason, details in of_distinct.found:
        detail_of = dict(zip(rows.tolist(), details, strict=True))
        findings.add(np.isin(index, rows), reason, lambda row, detail_of=detail_of: detail_of[index[row]])
    if not pa.types.is_large_string(parsed.type):
        return parsed.take(pa.array(index))
    if field.values is not None:  # several texts may stand for one value
        return parsed.take(pa.array(index)).dictionary_encode()
    missing = mask_of(pc.is_null(parsed))
    index = pa.array(index, pa.int32(), mask=missing[index])
    return pa.DictionaryArray.from_arrays(index, pc.fill_null(parsed, ""))


def parse_lists(
    field: Field, values: pa.Array, separator: str, time_format: str, findings: Findings
) -> tuple[np.ndarray, pa.Array]:
    """A field with a list of values a row, one an item.

    Returns:
      (sizes int64 [rows], an array of `TYPES` with the values of all rows).
    """
    values, broken = _plain(values)
    if broken is not None:
        findings.add(broken, "bad_utf8", f"{field.label}: not UTF-8")
    sizes, flat = split_lists(values, separator)
    array, problems = _parse(field, flat, time_format)
    owner = np.repeat(np.arange(len(sizes)), sizes)
    for mask, reason, detail in problems:
        rows, first = np.unique(owner[mask], return_index=True)
        place = dict(zip(rows.tolist(), np.flatnonzero(mask)[first].tolist(), strict=True))
        bad = np.zeros(len(sizes), bool)
        bad[rows] = True
        findings.add(bad, reason, lambda row, place=place, detail=detail: detail(place[row]))
    return sizes, array


def split_lists(values: pa.Array, separator: str) -> tuple[np.ndarray, pa.Array]:
    """(sizes int64 [rows], flat values) of a column of lists, or of texts with ``separator`` between the values."""
    values, _ = _plain(values)
    if pa.types.is_large_string(values.type):
        values = pc.split_pattern(_empty_to_null(values), separator)
    elif not is_list(values.type):  # one value, not in a list
        return mask_of(pc.is_valid(values)).astype(np.int64), pc.drop_null(values)
    return _sizes(values), flat_values(values)


def _empty_to_null(values: pa.Array, missing: tuple[str, ...] = ()) -> pa.Array:
    unknown = pc.equal(values, "")
    for text in missing:
        unknown = pc.or_(unknown, pc.equal(values, text))
    return pc.if_else(unknown, pa.scalar(None, values.type), values) if mask_of(unknown).any() else values


def _plain(values: pa.Array) -> tuple[pa.Array, np.ndarray | None]:
    """Fewer types to deal with: text is large_string, no dictionaries. Also says which binary values are not UTF-8."""
    values = one_array(values)
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    kind = values.type
    if pa.types.is_null(kind) or pa.types.is_string(kind):
        return values.cast(TEXT), None
    if pa.types.is_boolean(kind):
        return values.cast(pa.int8()), None
    if pa.types.is_decimal(kind):
        return values.cast(pa.float64()), None
    if pa.types.is_float16(kind):
        return pa.array([None if value is None else float(value) for value in values.to_pylist()], pa.float32()), None
    if pa.types.is_struct(kind) or pa.types.is_map(kind):
        texts = [None if value is None else orjson.dumps(value, default=str).decode() for value in to_python(values)]
        return pa.array(texts, TEXT), None
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        try:
            return values.cast(pa.large_binary()).cast(TEXT), None
        except pa.ArrowInvalid:
            return _decode(values.to_pylist())
    known = (pa.types.is_large_string, pa.types.is_integer, pa.types.is_floating, pa.types.is_date, is_list)
    if not any(is_type(kind) for is_type in (*known, pa.types.is_timestamp)):  # durations, times of day and the like
        return _as_texts(values), None
    return values, None


def _as_texts(values: pa.Array) -> pa.Array:
    return pa.array([None if value is None else str(value) for value in to_python(values)], TEXT)


def _decode(values: list[bytes | None]) -> tuple[pa.Array, np.ndarray]:
    texts, bad = [], np.zeros(len(values), bool)
    for i, value in enumerate(values):
        try:
            texts.append(None if value is None else value.decode())
        except UnicodeDecodeError:
            texts.append(None)
            bad[i] = True
    return pa.array(texts, TEXT), bad


def _parse(field: Field, values: pa.Array, time_format: str) -> tuple[pa.Array, list[Problem]]:
    values, problems = _single(field, values)
    raw = values
    if pa.types.is_large_string(values.type):
        values = _empty_to_null(values, field.missing)
    elif field.missing:
        values = pc.if_else(pc.is_in(_text(values), value_set=pa.array(field.missing, TEXT)), None, values)
    given = pc.is_valid(values)
    if field.values is not None:
        values = _mapped(_text(values), field)
        reason, wanted = "unknown_value", f"none of {', '.join(field.values)}"
    elif field.kind == "timestamp":
        values, reason, wanted = _seconds(values, time_format), "bad_type", f"no time of the form {time_format!r}"
    elif field.dtype == "int":
        values, reason, wanted = _integers(values), "bad_type", "no whole number"
    elif field.dtype == "float":
        values, reason, wanted = _floats(values), "bad_type", "no number"
        values = pc.if_else(pc.is_inf(values), None, values)
        given = pc.and_(given, pc.invert(pc.fill_null(pc.is_nan(values), False)))  # NaN is a missing number
        values = pc.if_else(pc.is_nan(values), None, values)
    else:
        values, reason, wanted = _text(values), "bad_type", "no text"
    failed = mask_of(pc.and_(given, pc.is_null(values)))
    if failed.any():
        problems.append((failed, reason, lambda i: f"{field.label}: {shown(raw, i)} is {wanted}"))
    if field.kind == "timestamp":
        far = mask_of(pc.or_(pc.less(values, _YEAR_1), pc.greater_equal(values, _YEAR_10000)))
        unit = f"`data.timestamp_format: {time_format}`"
        problems.append(
            (far, "out_of_range", lambda i: f"{field.label}: {shown(raw, i)} is in none of the years 1 to 9999, {unit}")
        )
    if field.dtype != "bytes":
        problems += _range_problems(field, values)
        values = values.cast(TYPES[field.dtype], safe=False)
    if field.must and values.null_count:
        absent = mask_of(pc.invert(given))
        problems.append((absent, "missing_value", lambda i: f"{field.label}: there is no value, and it must have one"))
    return values, problems


def _single(field: Field, values: pa.Array) -> tuple[pa.Array, list[Problem]]:
    """Plain values, and what is wrong with them so far: of lists that hold one value, the value."""
    values, broken = _plain(values)
    many = None
    if is_list(values.type):
        sizes = _sizes(values)
        many, index = sizes > 1, pa.array(np.cumsum(sizes) - sizes, mask=sizes != 1)
        values, broken = _plain(flat_values(values).take(index))
        if is_list(values.type):
            many |= mask_of(pc.is_valid(values))
            values = pa.nulls(len(values), TEXT)
    problems: list[Problem] = []
    if many is not None:
        problems.append((many, "bad_type", lambda i: f"{field.label}: a list, where one value is expected"))
    if broken is not None:
        problems.append((broken, "bad_utf8", lambda i: f"{field.label}: not UTF-8"))
    return values, problems


def _sizes(values: pa.Array) -> np.ndarray:
    """int64 [rows], the length of each list, 0 of a missing one."""
    return pc.fill_null(pc.list_value_length(values), 0).to_numpy(zero_copy_only=False).astype(np.int64)


def _range_problems(field: Field, values: pa.Array) -> list[Problem]:
    low, high = field.minimum, field.maximum
    if field.dtype == "float":
        low = -FLOAT32_MAX if low is None else max(low, -FLOAT32_MAX)
        high = FLOAT32_MAX if high is None else min(high, FLOAT32_MAX)
        values, exact = values.cast(pa.float32(), safe=False), values  # as the schema's own limits are
    else:
        exact = values
    outside = np.zeros(len(values), bool)
    if low is not None:
        outside |= mask_of(pc.less(values, pa.scalar(low, values.type)))
    if high is not None:
        outside |= mask_of(pc.greater(values, pa.scalar(high, values.type)))
    if not outside.any():
        return []

    def detail(i):
        bounds = f"[{'' if field.minimum is None else f'{field.minimum:g}'}, "
        bounds += f"{'' if field.maximum is None else f'{field.maximum:g}'}]"
        return f"{field.label}: {shown(exact, i)} is outside {bounds}"

    return [(outside, "out_of_range", detail)]


def _text(values: pa.Array) -> pa.Array:
    try:
        return values if pa.types.is_large_string(values.type) else values.cast(TEXT)
    except pa.ArrowException:  # lists, times of a zone nobody knows
        return _as_texts(values)


def _mapped(texts: pa.Array, field: Field) -> pa.Array:
    keys, found = list(field.values), list(field.values.values())
    return pa.array(found, TYPES[field.dtype]).take(pc.index_in(texts, value_set=pa.array(keys, TEXT)))


def _integers(values: pa.Array) -> pa.Array:
    """int64, null where there is no whole number; "3.0" and 3.0 are whole, as logs have them."""
    if pa.types.is_integer(values.type):
        if values.type == pa.uint64():
            values = pc.if_else(pc.greater(values, pa.scalar(2**63 - 1, pa.uint64())), None, values)
        return values.cast(pa.int64())
    if pa.types.is_large_string(values.type):
        # All at once if they are plain; what is accepted must not depend on the other rows. (Arrow reads 0x1F.)
        if not any(pc.any(pc.match_substring(values, x)).as_py() for x in "xX"):
            try:
                return values.cast(pa.int64())
            except pa.ArrowInvalid:
                pass
        whole = _matching(values, _WHOLE).cast(pa.int64())
        long = _matching(values, _LONG)
        if long.null_count < len(long):
            numbers = [None if text is None else int(text) for text in long.to_pylist()]
            fit = [None if n is None or not -(2**63) <= n < 2**63 else n for n in numbers]
            whole = pc.coalesce(whole, pa.array(fit, pa.int64()))
            values = pc.if_else(pc.is_valid(long), None, values)
        if whole.null_count == values.null_count:
            return whole
        return pc.coalesce(whole, _integers(_numbers(values)))
    if pa.types.is_floating(values.type):
        numbers = values.cast(pa.float64())
        exact = pc.and_(pc.equal(pc.floor(numbers), numbers), pc.less_equal(pc.abs(numbers), 2.0**53))
        return pc.if_else(exact, numbers, None).cast(pa.int64())
    return pa.nulls(len(values), pa.int64())


def _floats(values: pa.Array) -> pa.Array:
    """float64, null where there is no number; NaN stays."""
    if pa.types.is_integer(values.type) or pa.types.is_floating(values.type):
        return values.cast(pa.float64(), safe=False)
    if pa.types.is_large_string(values.type):
        try:
            return values.cast(pa.float64())
        except pa.ArrowInvalid:
            nan = pc.match_substring_regex(pc.utf8_trim_whitespace(values), _NAN)
            return pc.if_else(nan, float("nan"), _numbers(values))
    return pa.nulls(len(values), pa.float64())


def _matching(texts: pa.Array, pattern: str) -> pa.Array:
    """The texts that match a pattern, without spaces around and a plus in front; null for the others."""
    texts = pc.utf8_trim_whitespace(texts)
    matching = pc.if_else(pc.match_substring_regex(texts, pattern), texts, pa.scalar(None, TEXT))
    return pc.utf8_ltrim(matching, "+")


def _numbers(texts: pa.Array) -> pa.Array:
    return _matching(texts, _NUMBER).cast(pa.float64())


def _seconds(values: pa.Array, time_format: str) -> pa.Array:
    """int64 seconds since 1970, fractions cut; null where there is no time."""
    if pa.types.is_date(values.type):
        values = values.cast(pa.timestamp("s"))
    if pa.types.is_timestamp(values.type):
        return _divided(values.cast(pa.int64()), _TICKS[values.type.unit])
    if pa.types.is_large_string(values.type):
        if "%" in time_format:
            distinct = values.dictionary_encode()  # many rows share a second
            times = pc.strptime(distinct.dictionary, format=time_format, unit="s", error_is_null=True)
            return times.cast(pa.int64()).take(distinct.indices)
        values = _floats(values)
    if pa.types.is_floating(values.type):
        finite = pc.less(pc.abs(values), 2.0**53)
        values = pc.if_else(finite, pc.floor(values.cast(pa.float64())), None).cast(pa.int64())
    else:
        values = _integers(values)  # none, where they are no numbers
    return _divided(values, 1000) if time_format == "milliseconds" else values


def _divided(values: pa.Array, by: int) -> pa.Array:
    """Rounded down, before 1970 as well."""
    return values if by == 1 else pa.array(pc.fill_null(values, 0).to_numpy() // by, mask=mask_of(pc.is_null(values)))


def _history_text(field: Field, values: pa.Array, separator: str) -> tuple[pa.Array, list[Problem]]:
    values, broken = _plain(values)
    problems = [] if broken is None else [(broken, "bad_utf8", lambda i: f"{field.label}: not UTF-8")]
    if pa.types.is_large_string(values.type):
        values = _empty_to_null(values)
        return (values if separator == UNIT else pc.replace_substring(values, separator, UNIT)), problems
    sizes, flat = split_lists(values, separator)
    flat, broken = _plain(flat)
    if broken is not None:
        owner = np.repeat(np.arange(len(sizes)), sizes)
        rows = np.isin(np.arange(len(sizes)), owner[broken])
        problems = [(rows, "bad_utf8", lambda i: f"{field.label}: not UTF-8")]
    texts = pc.fill_null(_text(flat), "").cast(pa.string())
    offsets = pa.array(np.concatenate([[0], np.cumsum(sizes)]), pa.int32())
    joined = pc.binary_join(pa.ListArray.from_arrays(offsets, texts), UNIT).cast(TEXT)
    return pc.if_else(pa.array(sizes > 0), joined, pa.scalar(None, TEXT)), problems
