import pytest

from pipeline import fingerprint


def test_it_follows_imports_and_nothing_else():
    preprocessing = {path.name for path in fingerprint._closure("models.inputs.preprocessing")}
    assert {"preprocessing.py", "features.py", "hierarchy.py", "reader.py"} <= preprocessing
    assert not {"model.py", "signatures.py", "loop.py"} & preprocessing
    trainer = {path.name for path in fingerprint._closure("models.training.entry")}
    assert {"model.py", "gates.py", "adversarial.py", "session_auc.py", "reader.py"} <= trainer


def test_how_an_ablation_is_shown_does_not_train_its_members_anew():
    files = fingerprint._closure("pipeline.ablation.members")
    assert "model.py" in {path.name for path in files}
    # With a module of a folder, its templates count, too.
    assert not [path for path in files if path.parent.name in ("report", "model_report")]
    assert not [path for path in files if (path.parent / "templates").exists()]


def test_a_change_of_an_imported_module_changes_it(tmp_path, monkeypatch):
    package = tmp_path / "schemas_copy"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "one.py").write_text("from schemas_copy import two\n")
    (package / "two.py").write_text("X = 1\n")
    (package / "other.py").write_text("X = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(fingerprint, "_PACKAGES", ("schemas_copy",))
    before = fingerprint.source_fingerprint("schemas_copy.one")
    (package / "other.py").write_text("X = 2\n")
    assert fingerprint.source_fingerprint("schemas_copy.one") == before
    (package / "two.py").write_text("X = 2\n")
    assert fingerprint.source_fingerprint("schemas_copy.one") != before


def test_an_unknown_module_is_an_error():
    with pytest.raises(ModuleNotFoundError):
        fingerprint.source_fingerprint("models.no_such_module")
