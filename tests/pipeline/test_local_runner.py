import pytest

from pipeline.runners.local import _schema_by_content
from pipeline.runners.nodes import root_cause


def test_a_schema_that_was_edited_has_another_path(tmp_path):
    # ImportSchemaGen's cache looks at the path alone.
    schema = tmp_path / "shop.pbtxt"
    schema.write_text("# one\n")
    first = _schema_by_content(tmp_path, str(schema))
    assert _schema_by_content(tmp_path, str(schema)) == first
    schema.write_text("# two\n")
    second = _schema_by_content(tmp_path, str(schema))
    assert second != first
    assert second.read_text() == "# two\n"
    # A copy taken for the schema is its own copy: what was found once stays findable.
    assert _schema_by_content(tmp_path, str(second)) == second


def test_the_innermost_cause_is_what_the_user_reads():
    def fail():
        try:
            raise ValueError("price: 'cheap' is no number")
        except ValueError as error:
            raise RuntimeError("while running a stage") from error

    with pytest.raises(RuntimeError) as raised:
        fail()
    assert str(root_cause(raised.value)) == "price: 'cheap' is no number"
