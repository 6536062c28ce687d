"""Which files of a log are taken: {SPAN}, {VERSION} and {YYYY}, {MM}, {DD} in `data.files` filled in."""

import dataclasses

from tfx.components.example_gen import input_processor
from tfx.proto import example_gen_pb2, range_config_pb2

NEWEST = -1  # in place of a span's number


@dataclasses.dataclass(frozen=True)
class Resolved:
    """What was found.

    Attributes:
      pattern: the glob under the log's folder, with nothing left to fill in.
      span: its number; 0 if the pattern has no span.
      version: its number; None if the pattern has no version.
      fingerprint: of the files, by name, size and time.
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
      ValueError: if no file has such a name, or a span is asked for and the pattern has none.
    """
    split = example_gen_pb2.Input.Split(name="log", pattern=pattern)
    processor = input_processor.FileBasedInputProcessor(folder, [split], span_range(span))
    found, version = processor.resolve_span_and_version()
    filled = processor.get_pattern_for_span_version(pattern, found, version)
    return Resolved(filled, found, version, processor.get_input_fingerprint(found, version))


def span_range(span: int) -> range_config_pb2.RangeConfig | None:
    """A span's number as TFX's drivers take it."""
    if span == NEWEST:
        return None
    static = range_config_pb2.StaticRange(start_span_number=span, end_span_number=span)
    return range_config_pb2.RangeConfig(static_range=static)
