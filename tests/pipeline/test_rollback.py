"""The way back to an earlier version, on made-up metadata; in a run of several days: test_days.py."""

import contextlib
import pathlib

import ml_metadata
import pytest
from ml_metadata.proto import metadata_store_pb2 as mlmd

from pipeline.run_folder.rollback import RollbackError, list_versions, roll_back
from serving.versions import versions_in
from tests.pipeline.commands import call


class Pushed:
    """A model's folder with versions in it, and the ML Metadata of the runs that pushed them: v1, v2, v3 of the models
    10, 20, 30 or those that are given."""

    def __init__(self, folder: pathlib.Path, models=(10, 20, 30)):
        self.folder, self.metadata = folder / "serving" / "ranker", folder / "metadata.sqlite"
        self.folder.mkdir(parents=True)
        config = mlmd.ConnectionConfig()
        config.sqlite.filename_uri = str(self.metadata)
        self.store = ml_metadata.MetadataStore(config)
        self.types = {
            name: self.store.put_artifact_type(mlmd.ArtifactType(name=name))
            for name in ("Model", "ModelBlessing", "PushedModel")
        }
        self.pusher = self.store.put_execution_type(mlmd.ExecutionType(name="Pusher"))
        self.ids = {}
        for version, name in enumerate(models, start=1):
            self.push(version, name)

    def push(self, version: int, name: int, folder: pathlib.Path | None = None) -> None:
        if name not in self.ids:
            self.ids[name] = self.put("Model")
        blessing = self.put("ModelBlessing", blessed=1, current_model_id=self.ids[name], session_auc=version / 10)
        place = str((folder or self.folder) / str(version))
        pushed = self.put("PushedModel", pushed=1, pushed_version=str(version), pushed_destination=place)
        [maker] = self.store.put_executions([mlmd.Execution(type_id=self.pusher)])
        events = [(self.ids[name], mlmd.Event.INPUT), (blessing, mlmd.Event.INPUT), (pushed, mlmd.Event.OUTPUT)]
        self.store.put_events([mlmd.Event(artifact_id=i, execution_id=maker, type=kind) for i, kind in events])
        pathlib.Path(place).mkdir(parents=True, exist_ok=True)
        (pathlib.Path(place) / "saved_model.pb").touch()

    def put(self, kind: str, **properties) -> int:
        artifact = mlmd.Artifact(type_id=self.types[kind])
        for name, value in properties.items():
            field = {int: "int_value", float: "double_value", str: "string_value"}[type(value)]
            setattr(artifact.custom_properties[name], field, value)
        return self.store.put_artifacts([artifact])[0]

    def states(self) -> str:
        return ", ".join(f"{v.number} {v.state}" for v in list_versions(self.folder, self.metadata))

    def blessed(self) -> set[int]:
        """The models that resolvers find, which are those that bear no mark."""
        names = {number: name for name, number in self.ids.items()}
        marked = {m.id for m in self.store.get_artifacts_by_type("Model") if "withdrawn" in m.custom_properties}
        blessed = {
            names[blessing.custom_properties["current_model_id"].int_value]
            for blessing in self.store.get_artifacts_by_type("ModelBlessing")
            if blessing.custom_properties["blessed"].int_value == 1
        }
        assert {names[number] for number in marked} == set(names.values()) - blessed
        return blessed


@pytest.fixture
def pushed(tmp_path):
    return Pushed(tmp_path)


def test_back_further_back_and_forward_again(pushed):
    assert pushed.states() == "1 kept, 2 kept, 3 served"
    assert roll_back(pushed.folder, pushed.metadata) == (2, [3])
    assert (pushed.states(), pushed.blessed()) == ("1 kept, 2 served, 3 withdrawn", {10, 20})
    assert roll_back(pushed.folder, pushed.metadata) == (1, [2])
    assert (pushed.states(), pushed.blessed()) == ("1 served, 2 withdrawn, 3 withdrawn", {10})
    assert roll_back(pushed.folder, pushed.metadata, 3) == (3, [])
    assert (pushed.states(), pushed.blessed()) == ("1 kept, 2 withdrawn, 3 served", {10, 30})
    assert roll_back(pushed.folder, pushed.metadata, 2) == (2, [3])
    assert (pushed.states(), pushed.blessed()) == ("1 kept, 2 served, 3 withdrawn", {10, 20})
    assert [version.session_auc for version in list_versions(pushed.folder, pushed.metadata)] == [0.1, 0.2, 0.3]


def test_a_model_that_is_served_as_another_version_is_not_withdrawn(tmp_path):
    pushed = Pushed(tmp_path, (10, 20, 10))
    roll_back(pushed.folder, pushed.metadata, 2)
    assert pushed.blessed() == {20}
    roll_back(pushed.folder, pushed.metadata, 1)
    assert pushed.blessed() == {10}


def test_the_same_weights_trained_twice_and_pushed_once_are_withdrawn_together(pushed):
    pushed.push(3, 31)
    roll_back(pushed.folder, pushed.metadata)
    assert pushed.blessed() == {10, 20}
    roll_back(pushed.folder, pushed.metadata, 3)
    assert pushed.blessed() == {10, 20, 30, 31}


def test_a_model_of_another_name_is_left_alone_though_its_version_has_the_same_number(pushed):
    other = pushed.folder.parent / "pre_ranker"
    pushed.push(2, 102, other)
    pushed.push(3, 103, other)
    roll_back(pushed.folder, pushed.metadata)
    assert pushed.blessed() == {10, 20, 102, 103}
    roll_back(other, pushed.metadata)
    assert (pushed.blessed(), versions_in(other)) == ({10, 20, 102}, [2])
    roll_back(pushed.folder, pushed.metadata, 3)
    assert pushed.blessed() == {10, 20, 30, 102}


def test_a_model_that_was_refused_is_not_blessed_on_the_way(pushed):
    refused = pushed.put("ModelBlessing", blessed=0, current_model_id=pushed.ids[30])
    roll_back(pushed.folder, pushed.metadata, 1)
    roll_back(pushed.folder, pushed.metadata, 3)
    [blessing] = pushed.store.get_artifacts_by_id([refused])
    assert blessing.custom_properties["blessed"].int_value == 0


class Killed(BaseException):
    pass


@pytest.mark.parametrize(
    ("before", "to", "steps"),
    # The mark is one step, and each version that is moved.
    [(3, None, 2), (3, 1, 3), (1, 3, 2), (2, 1, 2)],
)
def test_the_same_command_goes_on_after_a_kill(tmp_path, monkeypatch, before, to, steps):
    for kill_at in range(steps + 1):
        pushed = Pushed(tmp_path / str(kill_at))
        roll_back(pushed.folder, pushed.metadata, before)
        target, done = to or before - 1, []

        def step(call, done=done, kill_at=kill_at):
            def run(*arguments):
                if len(done) == kill_at:
                    raise Killed
                done.append(call)
                return call(*arguments)

            return run

        with monkeypatch.context() as patch, contextlib.suppress(Killed):
            for owner, name in ((pathlib.Path, "rename"), (ml_metadata.MetadataStore, "put_artifacts")):
                patch.setattr(owner, name, step(getattr(owner, name)))
            roll_back(pushed.folder, pushed.metadata, to)
        assert len(done) == min(kill_at, steps)
        # The version that was served still is, and none in between.
        assert versions_in(pushed.folder)[-1] == (before if kill_at < steps else target)
        if kill_at < steps:
            assert roll_back(pushed.folder, pushed.metadata, to)[0] == target
        assert versions_in(pushed.folder)[-1] == target
        fresh = Pushed(tmp_path / f"{kill_at}-without-a-kill")
        roll_back(fresh.folder, fresh.metadata, before)
        roll_back(fresh.folder, fresh.metadata, to)
        assert (pushed.states(), pushed.blessed()) == (fresh.states(), fresh.blessed())


def test_what_cannot_be_done_is_refused(pushed, tmp_path):
    with pytest.raises(RollbackError, match=r"--to must be one of 1, 2, 3\. Received: 7"):
        roll_back(pushed.folder, pushed.metadata, 7)
    roll_back(pushed.folder, pushed.metadata, 1)
    with pytest.raises(RollbackError, match=r"no version before the one that is served\. Withdrawn.*--to: 2, 3"):
        roll_back(pushed.folder, pushed.metadata)
    with pytest.raises(RollbackError, match="holds no pushed version"):
        roll_back(tmp_path / "none", pushed.metadata)
    pushed.metadata.unlink()
    with pytest.raises(RollbackError, match=r"metadata\.sqlite: is missing"):
        roll_back(pushed.folder, pushed.metadata, 3)


@pytest.mark.parametrize("flags", [[], ["--list"], ["--to=3"]])
def test_a_run_that_pushed_nothing_is_told(tmp_path, flags):
    process = call("rollback", f"--runs={tmp_path / 'none'}", *flags)
    assert process.returncode == 2
    assert process.stderr.strip().endswith("serving/ranker: holds no pushed version")
    assert not (tmp_path / "none").exists()
