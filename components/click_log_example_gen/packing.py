"""Tables as bytes, for what travels between workers."""

import pyarrow as pa

# Beam copies an element's bytes several times on its way and keeps them in memory between two stages.
_OPTIONS = pa.ipc.IpcWriteOptions(compression="lz4")


def pack(table: pa.Table) -> bytes:
    """A table as bytes; unlike pickle, this does not carry along what a slice leaves out."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=_OPTIONS) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def unpack(data: bytes) -> pa.Table:
    """The table of `pack`."""
    return pa.ipc.open_stream(data).read_all()
