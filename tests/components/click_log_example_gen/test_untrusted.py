import json
import pickle

import pyarrow as pa
import pyarrow.parquet
import pytest

from tests.components.click_log_example_gen.conftest import SHOP


class _Touches:
    """Unpickled, it writes a file."""

    def __init__(self, path):
        self._path = path

    def __reduce__(self):
        return open, (str(self._path), "w")


def test_code_in_a_parquet_file_is_not_run(ingest, tmp_path):
    """CVE-2023-47248: pyarrow 10 unpickles what a file's schema calls an extension type of Python."""
    metadata = {
        "ARROW:extension:name": "arrow.py_extension_type",
        "ARROW:extension:metadata": pickle.dumps(_Touches(tmp_path / "owned")),
    }
    field = pa.field("request_id", pa.binary(), metadata=metadata)
    table = pa.Table.from_arrays([pa.array([b"q1"])], schema=pa.schema([field]))
    pa.parquet.write_table(table, tmp_path / "log" / "log.parquet")
    with pytest.raises(ValueError, match=r"log\.parquet: cannot be read: Disallowed deserialization"):
        ingest()
    assert not (tmp_path / "owned").exists()


def test_a_user_s_name_and_history_are_in_the_quarantine_alone(ingest, tmp_path):
    header = "request_id,user_id,timestamp,top,sub,visits,past,item_id,brand,price,click"
    rows = ["q1,anna,5,t,s,1,secret,a,b,1,0", "q1,anna,5,t,s,1,secret,b,b,1,1"]
    rows += ["q1,berta,5,t,s,1,secret,c,b,1,0", "q1,anna,5,t,s,1,diary,d,b,1,0", "q1,anna,5,t,s,2,secret,e,b,1,0"]
    (tmp_path / "log" / "log.csv").write_text("\n".join([header, *rows]))
    (tmp_path / "log" / "users.tab").write_text("user\tage\nanna\t1\nanna\t2\n")
    schema = SHOP.replace('name: "visits"', 'name: "age"')
    table = {"files": "users.tab", "format": "tsv", "key": "user", "match": "user_id", "columns": {"age": "age"}}
    result = ingest(schema, files="*.csv", tables=[table], max_bad_fraction=1, split={"fractions": {"train": 1.0}})
    told = json.dumps(result.summary) + "".join(row["detail"] for row in result.bad)
    assert not [name for name in ("anna", "berta", "secret", "diary") if name in told]
    assert "user_id: another than in the first row of the request (line 2)" in told
    assert any("berta" in row["row"] for row in result.bad)
