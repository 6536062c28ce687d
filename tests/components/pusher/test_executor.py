"""What a server finds in the folder of versions, at any time."""

import pathlib
import threading

import pytest
from tfx.proto import pusher_pb2
from tfx.types import standard_artifacts
from tfx.utils import proto_utils

from components.pusher.executor import UNFINISHED, Executor, push
from serving.versions import versions_in

FILES = 300


def a_model(folder: pathlib.Path, weights: str = "1") -> pathlib.Path:
    """Of many files, so that it takes long to copy."""
    for number in range(FILES):
        path = folder / "variables" / str(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(weights)
    (folder / "saved_model.pb").write_text("graph")
    return folder


def files_in(folder: pathlib.Path) -> int:
    return sum(path.is_file() for path in folder.rglob("*"))


def pushed_by_the_component(tmp_path: pathlib.Path, blessed: int) -> standard_artifacts.PushedModel:
    model, blessing, pushed = (
        getattr(standard_artifacts, name)() for name in ("Model", "ModelBlessing", "PushedModel")
    )
    model.uri, pushed.uri = str(tmp_path / "model"), str(tmp_path / "pushed")
    a_model(tmp_path / "model" / "Format-Serving")
    blessing.set_int_custom_property("blessed", blessed)
    folder = pusher_pb2.PushDestination.Filesystem(base_directory=str(tmp_path / "ranker"))
    destination = proto_utils.proto_to_json(pusher_pb2.PushDestination(filesystem=folder))
    Executor(Executor.Context()).Do(
        {"model": [model], "model_blessing": [blessing]},
        {"pushed_model": [pushed]},
        {"push_destination": destination, "custom_config": "null"},
    )
    return pushed


def test_a_version_has_all_its_files_as_soon_as_it_is_there(tmp_path):
    found, pushing = [], threading.Event()
    (tmp_path / "ranker").mkdir()

    def look():
        while not pushing.is_set() or not found:
            found.extend(files_in(path) for path in (tmp_path / "ranker").iterdir() if path.name.isdigit())
            if found:
                return

    server = threading.Thread(target=look, daemon=True)
    server.start()
    pushed = pushed_by_the_component(tmp_path, blessed=1)
    pushing.set()
    server.join(10)
    assert found == [FILES + 1]
    [version] = versions_in(tmp_path / "ranker")
    assert pushed.get_string_custom_property("pushed_version") == str(version)
    assert pushed.get_string_custom_property("pushed_destination") == str(tmp_path / "ranker" / str(version))
    assert files_in(tmp_path / "pushed") == FILES + 1


def test_what_is_not_blessed_is_not_pushed(tmp_path):
    assert pushed_by_the_component(tmp_path, blessed=0).get_int_custom_property("pushed") == 0
    assert not (tmp_path / "ranker").exists()


def test_a_push_that_was_killed_is_made_anew_and_one_that_was_finished_is_not(tmp_path):
    model, folder = a_model(tmp_path / "model"), tmp_path / "ranker"
    (folder / UNFINISHED / "variables").mkdir(parents=True)
    (folder / UNFINISHED / "variables" / "of another model").write_text("half")
    version = push(model, folder)
    assert files_in(version) == FILES + 1
    assert push(model, folder) == version
    assert [path.name for path in folder.iterdir()] == [version.name]


@pytest.mark.parametrize("there", [1, 9_999_999_999])
def test_another_model_gets_a_higher_number_whatever_the_clock_says(tmp_path, there):
    folder = tmp_path / "ranker"
    a_model(folder / str(there))
    version = push(a_model(tmp_path / "model", weights="2"), folder)
    assert int(version.name) > there
    assert versions_in(folder) == [there, int(version.name)]
