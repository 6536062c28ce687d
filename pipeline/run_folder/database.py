"""ML Metadata in a run's folder."""

import os
import pathlib

from ml_metadata.proto import metadata_store_pb2

METADATA_FILE = "metadata.sqlite"
_RETRIES = 30  # about a minute


def database(file: str | os.PathLike, create: bool = True) -> metadata_store_pb2.ConnectionConfig:
    """The connection to a file of ML Metadata; a process that finds it locked tries again for about a minute.

    Args:
      file: `METADATA_FILE` in the run's folder.
      create: make the file if it is missing.
    """
    mode = metadata_store_pb2.SqliteMetadataSourceConfig
    config = metadata_store_pb2.ConnectionConfig()
    config.sqlite.filename_uri = str(file)
    config.sqlite.connection_mode = mode.READWRITE_OPENCREATE if create else mode.READWRITE
    config.retry_options.max_num_retries = _RETRIES
    if create:
        pathlib.Path(file).parent.mkdir(parents=True, exist_ok=True)
    return config
