import pickle

import pyarrow as pa
import pyarrow.parquet
import pytest


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
