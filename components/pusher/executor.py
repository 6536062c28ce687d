"""Copies a blessed model to where it is served, so that a server finds all of a version or nothing."""

import filecmp
import pathlib
import shutil
import time
from typing import Any

from tfx import types
from tfx.components.pusher import executor
from tfx.proto import pusher_pb2
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import io_utils, proto_utils

from components.timing import timed
from serving.versions import versions_in

UNFINISHED = ".unfinished"  # to TF Serving a version is what has a number for its name


@timed
class Executor(executor.Executor):
    """TFX's executor of Pusher, for a folder of this machine.

    TFX's own copies file by file into the folder of the version. TF Serving, which looks each second, takes that for a
    version as soon as it is there and fails to load it, for a minute or for good; and a process that is killed leaves
    half of one.
    """

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Pushes a blessed model, unless it is the newest version already.

        Args:
          input_dict: as TFX's.
          output_dict: as TFX's.
          exec_properties: as TFX's. Into a bucket, which has no folders that could be renamed, TFX's executor pushes.
        """
        destination = proto_utils.json_to_proto(
            exec_properties[standard_component_specs.PUSH_DESTINATION_KEY], pusher_pb2.PushDestination()
        )
        folder = destination.filesystem.base_directory
        if "://" in folder or not self.CheckBlessing(input_dict):
            super().Do(input_dict, output_dict, exec_properties)
            return
        self._log_startup(input_dict, output_dict, exec_properties)
        pushed = artifact_utils.get_single_instance(output_dict[standard_component_specs.PUSHED_MODEL_KEY])
        model = pathlib.Path(self.GetModelPath(input_dict))
        version = push(model, pathlib.Path(folder))
        io_utils.copy_dir(str(model), pushed.uri)
        self._MarkPushed(pushed, pushed_destination=str(version), pushed_version=version.name)


def push(model: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
    """Copies a SavedModel to a folder of versions, numbered by the time.

    Returns:
      the version's folder: a new one, or the newest if that is the same model, which a process pushed that was killed
      before it could tell.
    """
    versions = versions_in(folder)
    if versions and _same(model, newest := folder / str(versions[-1])):
        return newest
    # Above all that is there, whatever the clock says: the highest is served.
    version = folder / str(max(int(time.time()), versions[-1] + 1 if versions else 0))
    unfinished = folder / UNFINISHED
    shutil.rmtree(unfinished, ignore_errors=True)
    shutil.copytree(model, unfinished)
    unfinished.rename(version)
    return version


def _same(first: pathlib.Path, second: pathlib.Path) -> bool:
    ours, theirs = (
        {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()} for folder in (first, second)
    )
    return ours == theirs and all(filecmp.cmp(first / name, second / name, shallow=False) for name in ours)
