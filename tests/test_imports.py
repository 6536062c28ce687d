"""Imports go one way, between packages and between the rooms of models/; and models/ never imports TFX."""

import ast
import graphlib
import pathlib

import pytest

PROJECT = pathlib.Path(__file__).resolve().parents[1]
MAY_IMPORT = {
    "common": set(),
    "schemas": {"common"},
    "models": {"schemas", "common"},
    "reporting": {"models", "schemas", "common"},
    "components": {"reporting", "models", "schemas", "common", "serving"},
    "pipeline": {"components", "reporting", "models", "schemas", "common", "serving"},
    "serving": set(),
}
# The rooms of models/ from the bottom up, and which of the rooms before it each may import.
ROOMS = {
    "distributed": set(),
    "inputs": set(),
    "layers": {"distributed", "inputs"},
    "losses": {"distributed", "layers"},
    "metrics": set(),
    "ranker": {"distributed", "inputs", "layers", "losses", "metrics"},
    "export": {"inputs", "layers", "ranker"},
    "training": {"distributed", "inputs", "layers", "metrics", "ranker", "export"},
    "tuning": {"ranker", "training"},
}
PACKAGES = {*MAY_IMPORT, "benchmarks", "deploy", "tests"}


def imported(source: str) -> set[str]:
    """The modules that a file names anywhere, also inside its functions."""
    modules = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            modules |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
    return modules


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_go_one_way(package):
    files = list((PROJECT / package).rglob("*.py"))
    assert files
    for file in files:
        modules = imported(file.read_text(encoding="utf-8"))
        roots = {module.partition(".")[0] for module in modules}
        assert roots & PACKAGES <= MAY_IMPORT[package] | {package}, file
        if package in ("common", "models", "schemas", "serving"):
            assert not roots & {"tfx", "apache_beam"}, file
        # The day of a newer TensorFlow, which TF-Ranking does not know, is to touch two files.
        assert "tensorflow_ranking" not in roots or file.name in ("ranking.py", "signatures.py"), file


# Verbs and the file for TFX's command line are entry points: they write the log before the pipeline starts.
MAY_SIMULATE = ("pipeline/simulation/", "pipeline/verbs/", "pipeline/runners/tfx_cli.py", "benchmarks/", "tests/")


def test_only_entry_points_import_the_simulator():
    for file in (file for package in PACKAGES for file in (PROJECT / package).rglob("*.py")):
        if not str(file.relative_to(PROJECT)).startswith(MAY_SIMULATE):
            modules = imported(file.read_text(encoding="utf-8"))
            assert not any(module.startswith("pipeline.simulation") for module in modules), file


def test_every_room_of_models_is_in_the_table():
    assert {path.parent.name for path in (PROJECT / "models").glob("*/__init__.py")} == set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_of_models_imports_only_rooms_below_it(room):
    below = list(ROOMS)[: list(ROOMS).index(room)]
    assert ROOMS[room] <= set(below)
    for file in (PROJECT / "models" / room).rglob("*.py"):
        modules = imported(file.read_text(encoding="utf-8"))
        rooms = {module.split(".")[1] for module in modules if module.startswith("models.")}
        assert rooms <= ROOMS[room] | {room}, file


def test_no_module_imports_itself_by_way_of_others():
    imports = {}
    for package in MAY_IMPORT:
        for file in (PROJECT / package).rglob("*.py"):
            name = ".".join(file.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__")
            imports[name] = imported(file.read_text(encoding="utf-8")) - {name}
    graphlib.TopologicalSorter(imports).prepare()  # raises CycleError with the circle


def test_an_import_inside_a_function_counts():
    assert imported("def f():\n    from tfx.types import Artifact\n") == {"tfx.types", "tfx.types.Artifact"}
