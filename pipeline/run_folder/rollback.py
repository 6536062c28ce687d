"""Lists the pushed versions of a model, and rolls back to an earlier version.

Servers take the highest number in the model's folder. A rollback withdraws the versions above the wanted one: it
renames each folder into `WITHDRAWN` beside the model's folder, in one step. Before that it marks the withdrawn models
in ML Metadata and takes back their blessings, because the next run looks there for its baseline and its warm start.
After a kill between any two of these steps a version still serves, and the same command can be given again.
"""

import dataclasses
import datetime
import pathlib

import ml_metadata
from ml_metadata.proto import metadata_store_pb2 as mlmd

from common.files import WITHDRAWN
from pipeline.run_folder.database import database
from serving.versions import versions_in

# The property of a ModelBlessing that says whether the model is blessed, 1 or 0.
_BLESSED = "blessed"


class RollbackError(ValueError):
    """A rollback that is refused; the message says what is possible."""


@dataclasses.dataclass(frozen=True)
class Version:
    """A pushed version.

    Attributes:
      number: the name of its folder: the second since 1970 in which it was pushed.
      state: "served", "kept" (below the served version) or "withdrawn".
      session_auc: session AUC on the test split of the run that pushed it; None if ML Metadata does not have it.
    """

    number: int
    state: str
    session_auc: float | None

    @property
    def pushed(self) -> str:
        """The time of the push, in local time; "-" for a number that is no time."""
        try:
            return f"{datetime.datetime.fromtimestamp(self.number):%Y-%m-%d %H:%M:%S}"
        except (ValueError, OverflowError, OSError):
            return "-"


def list_versions(folder: pathlib.Path, metadata: pathlib.Path) -> list[Version]:
    """All pushed versions, ascending.

    Args:
      folder: the model's folder.
      metadata: the file of the run's ML Metadata; it may be missing.
    """
    there, withdrawn = versions_in(folder), versions_in(_withdrawn(folder))
    pushes = _Pushes(metadata, folder.name) if metadata.exists() else None
    states = dict.fromkeys(withdrawn, "withdrawn") | dict.fromkeys(there, "kept") | dict.fromkeys(there[-1:], "served")
    return [
        Version(number, state, pushes.session_auc(number) if pushes else None)
        for number, state in sorted(states.items())
    ]


def roll_back(folder: pathlib.Path, metadata: pathlib.Path, to: int | None = None) -> tuple[int, list[int]]:
    """Serves a version again: withdraws the versions above it, and restores it if it was withdrawn itself.

    Args:
      folder: the model's folder.
      metadata: the file of the run's ML Metadata.
      to: the version to serve; by default the version before the served one.

    Returns:
      the version that is served now, and the versions that this call withdrew.

    Raises:
      RollbackError: there is no such version.
    """
    there, withdrawn = versions_in(folder), versions_in(_withdrawn(folder))
    if not there and not withdrawn:
        raise RollbackError(f"{folder}: holds no pushed version")
    if to is None and len(there) < 2:
        raise RollbackError(
            f"{folder}: there is no version before the one that is served"
            + (f". Withdrawn, and to be had with --to: {_listed(withdrawn)}" if withdrawn else "")
        )
    to = there[-2] if to is None else to
    if to not in (*there, *withdrawn):
        raise RollbackError(f"--to must be one of {_listed(sorted({*there, *withdrawn}))}. Received: {to}")
    if not metadata.exists():
        raise RollbackError(
            f"{metadata}: is missing, so the next run could not be told. Where only a copy of the models is, move the "
            "folders by hand: docs/deployment.md"
        )
    above = [number for number in there if number > to]
    _Pushes(metadata, folder.name).mark({*withdrawn, *above} - {to}, to)
    if to not in there:
        (_withdrawn(folder) / str(to)).rename(folder / str(to))
    _withdrawn(folder).mkdir(parents=True, exist_ok=True)
    # The highest version goes last: a server that polls meanwhile keeps it, and loads no version in between.
    for number in above:
        (folder / str(number)).rename(_withdrawn(folder) / str(number))
    return to, above


def _withdrawn(folder: pathlib.Path) -> pathlib.Path:
    return folder.parent / WITHDRAWN / folder.name


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers))


class _Pushes:
    """The pushed versions of a model in ML Metadata, read without TFX, whose import takes longer than the rollback.

    Args:
      path: of ML Metadata.
      model: name of the model; versions of other models are left alone.
    """

    def __init__(self, path: pathlib.Path, model: str):
        self._store = ml_metadata.MetadataStore(database(path, create=False))
        # A version has several models if the same weights were trained again: Pusher pushes them once.
        self._models: dict[int, set[int]] = {}
        self._blessings: dict[int, mlmd.Artifact] = {}
        for push in self._store.get_artifacts_by_type("PushedModel"):
            text, place = (push.custom_properties[key].string_value for key in ("pushed_version", "pushed_destination"))
            if not text.isdigit() or pathlib.PurePath(place).parent.name != model:
                continue
            for artifact in self._inputs_of_maker(push.id):
                if artifact.type == "Model":
                    self._models.setdefault(int(text), set()).add(artifact.id)
                elif artifact.type == "ModelBlessing":
                    self._blessings[int(text)] = artifact

    def session_auc(self, version: int) -> float | None:
        """The session AUC that the Evaluator measured for a version."""
        properties = self._blessings[version].custom_properties if version in self._blessings else {}
        return properties["session_auc"].double_value if "session_auc" in properties else None

    def mark(self, withdrawn: set[int], served: int) -> None:
        """Marks the models of the withdrawn versions and takes back their blessings; restores those of other models.

        A model that was pushed twice, and whose other version is served, is not withdrawn.
        """
        version_of = {model: version for version in sorted(withdrawn) for model in self._models.get(version, ())}
        version_of = {model: version_of[model] for model in version_of.keys() - self._models.get(served, set())}
        pushed = set().union(*self._models.values())
        changed = [
            model
            for model in self._store.get_artifacts_by_type("Model")
            if model.id in pushed and _set(model, version_of.get(model.id))
        ]
        for blessing in self._store.get_artifacts_by_type("ModelBlessing"):
            properties = blessing.custom_properties
            if properties[_BLESSED].int_value != 1 and WITHDRAWN not in properties:
                continue  # the Evaluator refused this model
            if (model := properties["current_model_id"].int_value) not in pushed:
                continue
            version = version_of.get(model)
            if _set(blessing, version):
                properties[_BLESSED].int_value = int(version is None)
                changed.append(blessing)
        if changed:
            self._store.put_artifacts(changed)

    def _inputs_of_maker(self, artifact: int) -> list[mlmd.Artifact]:
        # A cached execution has the same output and the same inputs.
        [maker, *_] = [
            event.execution_id
            for event in self._store.get_events_by_artifact_ids([artifact])
            if event.type == mlmd.Event.OUTPUT
        ]
        inputs = [
            event.artifact_id
            for event in self._store.get_events_by_execution_ids([maker])
            if event.type == mlmd.Event.INPUT
        ]
        return self._store.get_artifacts_by_id(inputs)


def _set(artifact: mlmd.Artifact, version: int | None) -> bool:
    """Marks an artifact with the withdrawn version, or removes the mark. Returns whether the artifact changed."""
    marked = WITHDRAWN in artifact.custom_properties
    if version is None:
        artifact.custom_properties.pop(WITHDRAWN, None)
        return marked
    changed = not marked or artifact.custom_properties[WITHDRAWN].int_value != version
    artifact.custom_properties[WITHDRAWN].int_value = version
    return changed
