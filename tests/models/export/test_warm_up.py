import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from models.export.warm_up import WARM_UP_FILE, write_warm_up
from models.inputs.hierarchy import build_hierarchy
from schemas.parsing import read_schema
from tests.models.conftest import SCHEMA_PATH


@pytest.mark.parametrize(
    ("paths", "min_count", "conflicts", "names"),
    [
        ({("a", "b"): 5, ("c", "d"): 3}, 1, "majority", (b"a", b"b")),
        ({("Home > Garden", "Home > Garden > Pots"): 5}, 1, "majority", (b"Home > Garden", b"Home > Garden > Pots")),
        ({("Home > Garden", "Pots > Clay"): 5}, 1, "split", (b"Home > Garden", b"Pots > Clay")),
        # No leaf is known: an id of 1 would make a request that fails, and so a model that no server loads.
        ({("a", "b"): 3, ("a", "c"): 3}, 5, "majority", (b"", b"")),
    ],
)
def test_warm_up_requests_name_categories_that_are_known(tmp_path, paths, min_count, conflicts, names):
    schema = read_schema(SCHEMA_PATH)
    hierarchy = build_hierarchy(paths, [level.name for level in schema.categories], min_count, conflicts)
    write_warm_up(str(tmp_path), schema, hierarchy)
    asked = {"rank": set(), "rank_ids": set()}
    for record in tf.data.TFRecordDataset(str(tmp_path / WARM_UP_FILE)).as_numpy_iterator():
        request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
        suffix = {"rank": "", "rank_ids": "_id"}.get(request.model_spec.signature_name)
        if suffix is not None:
            values = [tf.make_ndarray(request.inputs[f"{level.name}{suffix}"]) for level in schema.categories]
            asked[request.model_spec.signature_name].add(tuple(value.item() for value in values))
            texts = [value for tensor in request.inputs.values() for value in tensor.string_val]
            assert set(texts) <= {*names, b"", b"warm-up"}  # nobody's id, history or item
    assert asked["rank"] == {names, (b"", b"")}
    assert asked["rank_ids"] == {(0, 0), tuple(int(bool(level.keys)) for level in hierarchy.levels)}
