"""Which files of a log are taken: {SPAN}, {VERSION} and {YYYY}, {MM}, {DD} in `data.files` filled in."""

import dataclasses
import os
from typing import Any

import numpy as np
from tfx.components.example_gen import driver, input_processor, utils
from tfx.proto import example_gen_pb2, range_config_pb2
from tfx.utils import io_utils, proto_utils

from common.progress import progress
from components.click_log_example_gen.config import DataConfig

NEWEST = -1  # in place of a span's number


class NoSuchSpan(ValueError):
    """No file has the name of a span; the message says which, and where it was looked for."""


@dataclasses.dataclass(frozen=True)
class Resolved:
    """The files of one span.

    Attributes:
      pattern: the glob under the log's folder, with nothing left to fill in.
      span: its number; 0 if the pattern has no span.
      version: its number; None if the pattern has no version.
      fingerprint: of the files, by their number, size and time to the second.
    """

    pattern: str
    span: int
    version: int | None
    fingerprint: str


def resolve(folder: str, pattern: str, span: int = NEWEST) -> Resolved:
    """Fills in a pattern by TFX's rules: the newest version of the span, and the newest span unless one is asked for.

    Args:
      folder: of the log; a path or a URI.
      pattern: `data.files`.
      span: its number; of a date, its days since 1970.

    Raises:
      NoSuchSpan: if no file has such a name.
      ValueError: if a span is asked for and the pattern has none.
    """
    split = example_gen_pb2.Input.Split(name="log", pattern=pattern)
    static = range_config_pb2.StaticRange(start_span_number=span, end_span_number=span)
    wanted = None if span == NEWEST else range_config_pb2.RangeConfig(static_range=static)
    processor = input_processor.FileBasedInputProcessor(folder, [split], wanted)
    try:
        found, version = processor.resolve_span_and_version()
    except ValueError as error:
        if not str(error).startswith("Cannot find matching"):
            raise
        of_span = "" if span == NEWEST else f" of span {span} ({np.datetime64(span, 'D')}, if it is a day)"
        raise NoSuchSpan(f"`data.files`: there is no file {pattern!r}{of_span} in {folder!r}") from None
    filled = processor.get_pattern_for_span_version(pattern, found, version)
    return Resolved(filled, found, version, processor.get_input_fingerprint(found, version))


def resolve_window(folder: str, pattern: str, span: int = NEWEST, window: int = 1) -> list[Resolved]:
    """The newest span, or the one asked for, and those before it, newest first; spans without a file are left out.

    Args:
      folder, pattern, span: as for `resolve`.
      window: how many spans to go back, that one included.

    Raises:
      NoSuchSpan, ValueError: as `resolve`, of the newest span.
    """
    found = [resolve(folder, pattern, span)]
    for number in range(found[0].span - 1, max(found[0].span - window, -1), -1):
        try:
            found.append(resolve(folder, pattern, number))
        except NoSuchSpan:
            continue
    if len(found) < window:
        progress.warning("of the window of %d spans up to %d there are %d", window, found[0].span, len(found))
    return found


def resolve_properties(properties: dict[str, Any]) -> dict[str, Any]:
    """The component's execution properties with the window's spans found.

    Its ``input_config`` has a glob for each span, newest first; ``span``, ``version`` and ``input_fingerprint`` are
    those that TFX keeps with the requests: of the newest span, but for the fingerprint, which is of all files of the
    log and of its tables.
    """
    config = proto_utils.json_to_proto(properties["input_config"], example_gen_pb2.Input())
    data, folder = DataConfig.model_validate_json(properties["data"]), properties["input_base"]
    found = resolve_window(folder, config.splits[0].pattern, properties["wanted_span"], data.window)
    tables = [
        io_utils.generate_fingerprint(f"table-{i}", os.path.join(folder, table.files))
        for i, table in enumerate(data.tables)
    ]
    splits = [example_gen_pb2.Input.Split(name=f"span-{one.span}", pattern=one.pattern) for one in found]
    return properties | {
        # However it was asked for: the newest span, asked for by its number the next day, is in the cache.
        "wanted_span": found[0].span,
        "input_config": proto_utils.proto_to_json(example_gen_pb2.Input(splits=splits)),
        utils.SPAN_PROPERTY_NAME: found[0].span,
        utils.VERSION_PROPERTY_NAME: found[0].version,
        utils.FINGERPRINT_PROPERTY_NAME: "\n".join([*(one.fingerprint for one in found), *tables]),
    }


class WindowDriver(driver.FileBasedDriver):
    """TFX's FileBasedDriver for a window of spans: a window that did not change is answered from the cache."""

    def resolve_exec_properties(self, exec_properties: dict[str, Any], pipeline_info, component_info) -> dict[str, Any]:
        """As `resolve_properties`."""
        return resolve_properties(exec_properties)
