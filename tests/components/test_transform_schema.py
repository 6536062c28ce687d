"""TFX reads requests by the schema of what ingestion writes, in which a number that the log lacks is NaN."""

import pytest
from tensorflow_transform.tf_metadata import schema_utils

from components.transform.executor import always_there
from schemas.parsing import parse_schema
from tests.components.click_log_example_gen.conftest import SHOP


def test_a_scalar_that_a_log_need_not_have():
    schema = parse_schema(SHOP).proto
    with pytest.raises(ValueError, match="Feature user_id had shape"):
        schema_utils.schema_as_feature_spec(schema)
    specs = schema_utils.schema_as_feature_spec(always_there(schema)).feature_spec
    assert specs["visits"].shape == []
    assert specs["item_id"].row_splits_dtype is not None
