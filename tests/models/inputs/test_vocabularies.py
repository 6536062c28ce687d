import json

from models.inputs.hierarchy import build_hierarchy
from models.inputs.vocabularies import write_vocabularies


def test_vocabularies_tell_where_a_line_is_a_whole_path_and_where_a_level_is_empty(small_log, tmp_path):
    features = [level.name for level in small_log.schema.categories]

    def written(**options):
        hierarchy = build_hierarchy({("phones", "cases"): 3, ("phones", "covers"): 3}, features, **options)
        write_vocabularies(str(tmp_path), small_log.schema, hierarchy, small_log.transform_output)
        return json.loads((tmp_path / "assets.extra" / "vocabularies.json").read_text())

    of_paths = written(conflicts="split")
    assert [of_paths[f"{name}_id"].get("joined_by") for name in features] == [None, " > "]
    of_tops = written(min_count=5)
    assert [of_tops[f"{name}_id"]["size"] for name in features] == [1, 0]
    assert [of_tops[f"{name}_id"]["vocabulary"] is None for name in features] == [False, True]
