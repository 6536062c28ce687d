"""What a run's folder holds: is it consistent, and is it what another run of the same settings made?"""

import gzip
import hashlib
import json
import pathlib
import sqlite3

import tensorflow as tf
from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import metadata

# What a process took and when it ran; and of a training that was resumed, where.
_OF_THE_PROCESS = {"seconds", "items_per_second", "train_items_per_second", "resumed_from_step"}
_OF_THE_RUN = {"cached", "pushed_model", "served_model", "compared_with", "config", "report"}
# Their order, or the time, is another in each process; what they say of a model is in the summary.
_NOT_COMPARED = {"RankerEvaluator", "RankerPusher", "RankerModelReport"}
_COMPLETE = metadata_store_pb2.Execution.COMPLETE
_STATES = metadata_store_pb2.Execution.State


def inconsistencies(folder: pathlib.Path) -> list[str]:
    """What is wrong in a run's folder, in whose store no process is at work and whose last run was finished.

    The store's file is whole; no execution is left running; what was used, from the cache or as an input, came from an
    execution that was complete; every live artifact has its folder, every folder of an output is one, and nothing
    unfinished lies about; what is served is whole, and there once.
    """
    with sqlite3.connect(folder / "metadata.sqlite") as database:
        wrong = [f"sqlite: {line}" for (line,) in database.execute("pragma integrity_check") if line != "ok"]
    with metadata.Metadata(metadata.sqlite_metadata_connection_config(str(folder / "metadata.sqlite"))) as handle:
        store = handle.store
        executions = {one.id: one for one in store.get_executions()}
        artifacts = {one.id: one for one in store.get_artifacts()}
        events = store.get_events_by_execution_ids(list(executions))
    made = {
        event.artifact_id: executions[event.execution_id]
        for event in events
        if event.type == metadata_store_pb2.Event.OUTPUT
        and executions[event.execution_id].last_known_state != metadata_store_pb2.Execution.CACHED
    }
    for one in executions.values():
        if one.last_known_state in (metadata_store_pb2.Execution.RUNNING, metadata_store_pb2.Execution.NEW):
            wrong.append(f"execution {one.id} is {_STATES.Name(one.last_known_state)}")
    for event in events:
        maker = made.get(event.artifact_id)
        if maker is None or maker.last_known_state != _COMPLETE:
            wrong.append(f"execution {event.execution_id} uses artifact {event.artifact_id}, which nothing completed")
    live = {one.uri for one in artifacts.values() if one.state == metadata_store_pb2.Artifact.LIVE}
    wrong += [f"there is no {uri}" for uri in sorted(live) if not pathlib.Path(uri).exists()]
    there = {str(path) for path in (folder / "artifacts").glob("[A-Z]*/*/[0-9]*")}
    of_files = {uri for uri in there if pathlib.Path(uri).is_dir()}
    wrong += [f"nobody's: {uri}" for uri in sorted(of_files - {one.uri for one in artifacts.values()})]
    wrong += [f"left over: {path}" for path in folder.rglob("*") if "unfinished" in path.name or path.suffix == ".tmp"]
    versions = [path for path in (folder / "serving" / "ranker").iterdir() if path.name.isdigit()]
    pushed = max((folder / "artifacts" / "RankerPusher" / "pushed_model").iterdir(), key=lambda path: int(path.name))
    wrong += [f"{path} is not what was pushed" for path in versions if sizes(path) != sizes(pushed)]
    if len(versions) != 1:
        wrong.append(f"{len(versions)} versions were pushed")
    return wrong


def digests(folder: pathlib.Path) -> dict[str, str]:
    """The digest of every live artifact, by component and output, and of what ``summary.json`` says.

    Byte for byte, but for what tells when and by which process it was made; transformed requests record for record;
    of a SavedModel the weights bit for bit and the assets, for its graph has another order in each process.
    """
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    found = {"summary.json": _digest(json.dumps(_plain(summary, _OF_THE_PROCESS | _OF_THE_RUN), sort_keys=True))}
    with metadata.Metadata(metadata.sqlite_metadata_connection_config(str(folder / "metadata.sqlite"))) as handle:
        uris = [one.uri for one in handle.store.get_artifacts() if one.state == metadata_store_pb2.Artifact.LIVE]
    for uri in map(pathlib.Path, uris):
        component, output = uri.parts[-3:-1]
        if component not in _NOT_COMPARED and uri.is_dir():
            found[f"{component}/{output}"] = _digest(json.dumps(_contents(uri), sort_keys=True))
    return found


def differences(first: dict[str, str], second: dict[str, str]) -> list[str]:
    """The names under which two results of `digests` differ."""
    return sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))


def sizes(folder: pathlib.Path) -> dict[str, int]:
    """Bytes by file, for a look that is quick enough to meet what is half-written."""
    return {str(path.relative_to(folder)): path.stat().st_size for path in folder.rglob("*") if path.is_file()}


def _contents(folder: pathlib.Path) -> dict[str, str]:
    contents = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = str(path.relative_to(folder))
        if path.name in ("saved_model.pb", "fingerprint.pb") or "tfevents" in path.name:
            continue
        if path.name == "variables.index":
            for variable, digest in _weights(path.with_suffix("")).items():
                contents[f"{name}: {variable}"] = digest
        elif path.parent.name != "variables":
            contents[name] = _digest(_content(path))
    return contents


def _content(path: pathlib.Path) -> bytes | str:
    if path.name.startswith("transformed_examples"):
        # Record for record: tfx_bsl writes the features of each in another order in each process.
        records = tf.data.TFRecordDataset(str(path), "GZIP").as_numpy_iterator()
        return b"".join(tf.train.Example.FromString(one).SerializeToString(deterministic=True) for one in records)
    if path.suffix == ".gz":
        return gzip.decompress(path.read_bytes())
    if path.name in ("summary.json", "training.json"):
        return json.dumps(_plain(json.loads(path.read_text(encoding="utf-8")), _OF_THE_PROCESS), sort_keys=True)
    return path.read_bytes()


def _weights(prefix: pathlib.Path) -> dict[str, str]:
    reader = tf.train.load_checkpoint(str(prefix))
    names = [name for name in reader.get_variable_to_shape_map() if not name.startswith("_CHECKPOINTABLE")]
    tensors = {name: reader.get_tensor(name) for name in names}
    return {name: _digest(tensor.tobytes()) for name, tensor in tensors.items() if tensor.dtype != object}


def _plain(value, without: set[str]):
    if isinstance(value, dict):
        return {key: _plain(inner, without) for key, inner in value.items() if key not in without}
    return value


def _digest(content: bytes | str) -> str:
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()
