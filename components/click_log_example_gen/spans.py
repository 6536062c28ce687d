"""Which files belong to which span of a log: the newest span, and those of the window before it."""

import dataclasses
import logging
from typing import Any

from tfx.components.example_gen import driver, input_processor, utils
from tfx.proto import example_gen_pb2, range_config_pb2
from tfx.utils import proto_utils

from components.click_log_example_gen.config import DataConfig

# Of the globs in `input_config`, those of spans that are older than the newest.
OLDER = "older"

_progress = logging.getLogger("aislerank.progress")


@dataclasses.dataclass(frozen=True)
class _Span:
    """The files of one span: its number, its version if the pattern has one, the glob and the files' fingerprint."""

    number: int
    version: int | None
    glob: str
    fingerprint: str


class WindowDriver(driver.FileBasedDriver):
    """TFX's FileBasedDriver for a window of spans.

    It fills {SPAN}, {VERSION}, {YYYY}, {MM}, {DD} in for the newest span, or that of ``range_config``, and for the
    `data.window` - 1 spans before it, each with its newest version; spans without a file are left out. All their files
    are fingerprinted, so that a window that did not change is answered from the cache.
    """

    def resolve_exec_properties(self, exec_properties: dict[str, Any], pipeline_info, component_info) -> dict[str, Any]:
        """Replaces the glob in ``input_config`` by one for each span, the newest first."""
        pattern = _pattern(exec_properties)
        resolved = super().resolve_exec_properties(exec_properties, pipeline_info, component_info)
        window = DataConfig.model_validate_json(resolved["data"]).window
        newest = resolved[utils.SPAN_PROPERTY_NAME]
        older = [
            span
            for number in range(newest - 1, newest - window, -1)
            if (span := _find(resolved["input_base"], pattern, number))
        ]
        if len(older) + 1 < window:
            _progress.warning("the window of %d spans up to %d has only %d", window, newest, len(older) + 1)
        config = proto_utils.json_to_proto(resolved["input_config"], example_gen_pb2.Input())
        config.splits.extend(
            example_gen_pb2.Input.Split(name=f"{OLDER}-{span.number}", pattern=span.glob) for span in older
        )
        resolved["input_config"] = proto_utils.proto_to_json(config)
        fingerprints = [resolved[utils.FINGERPRINT_PROPERTY_NAME], *(span.fingerprint for span in older)]
        resolved[utils.FINGERPRINT_PROPERTY_NAME] = "\n".join(fingerprints)
        return resolved


def globs_of(exec_properties: dict[str, Any]) -> list[tuple[str, bool]]:
    """The globs of an `input_config` that a driver has resolved, and whether each is of an older span."""
    config = proto_utils.json_to_proto(exec_properties["input_config"], example_gen_pb2.Input())
    return [(split.pattern, split.name.startswith(OLDER)) for split in config.splits]


def _pattern(exec_properties: dict[str, Any]) -> str:
    return proto_utils.json_to_proto(exec_properties["input_config"], example_gen_pb2.Input()).splits[0].pattern


def _find(folder: str, pattern: str, number: int) -> _Span | None:
    split = example_gen_pb2.Input.Split(name=f"{OLDER}-{number}", pattern=pattern)
    static = range_config_pb2.StaticRange(start_span_number=number, end_span_number=number)
    try:
        processor = input_processor.FileBasedInputProcessor(
            folder, [split], range_config_pb2.RangeConfig(static_range=static)
        )
        span, version = processor.resolve_span_and_version()
    except ValueError:  # no file matches
        return None
    glob = processor.get_pattern_for_span_version(pattern, span, version)
    return _Span(span, version, glob, processor.get_input_fingerprint(span, version))
