"""The test requests as a report keeps them, so that a later run can be compared with this one request by request.

A Parquet file of a row a request: two hashes that say which it is, what the model is judged by, and where it belongs.
No name of a request, a user or an item is in it. Of more than 200,000 requests those are kept whose hashes are the
smallest, so that two runs on the same log keep the same ones: about 60 bytes each, 12 MB at most, before they are
compressed.
"""

import dataclasses
import io
import json
import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow_hotfix  # noqa: F401  without it pyarrow 10 runs code that a Parquet file brings along

from reporting.metrics import PER_REQUEST
from reporting.ranking import Ranking

_METADATA = b"aislerank"
_NODE, _SLICE = "node_", "by "
_COUNTS = ("items", "positives")


@dataclasses.dataclass(frozen=True)
class Division:
    """R requests divided by one thing.

    Attributes:
      title, note: as in `content.Slices`.
      names: of the slices, in an order that means something.
      place: [R] of each request's slice; -1 of one that is in none.
    """

    title: str
    note: str
    names: list[str]
    place: np.ndarray


@dataclasses.dataclass(frozen=True)
class JudgedRequests:
    """R of a test split's requests, in the order of their hashes.

    Attributes:
      requests: [R] int64, hashes of their ids.
      contents: [R] int64, hashes of their items with their grades, whatever the order.
      items, positives: [R], how many each has.
      ranking: by the model; without its AUC if some requests were left out.
      nodes: [R, L], places of its categories in `content.ReportContent.categories`; -1 for none.
      divided: as in the report's slices, without the notes.
      whole: how many requests the test split has.
    """

    requests: np.ndarray
    contents: np.ndarray
    items: np.ndarray
    positives: np.ndarray
    ranking: Ranking
    nodes: np.ndarray
    divided: list[Division]
    whole: int


def part(requests: JudgedRequests, places: np.ndarray) -> JudgedRequests:
    """Some of them, in the order of ``places``; without AUC, which is no sum over requests, unless these are all."""
    found = requests.ranking
    complete = len(places) == requests.whole

    def of(values: np.ndarray | None) -> np.ndarray | None:
        return None if values is None else values[places]

    return dataclasses.replace(
        requests,
        requests=requests.requests[places],
        contents=requests.contents[places],
        items=requests.items[places],
        positives=requests.positives[places],
        ranking=Ranking(
            by_request={name: values[places] for name, values in found.by_request.items()},
            log_losses=of(found.log_losses),
            scores=of(found.scores),
            auc=found.auc if complete else np.nan,
            auc_influence=found.auc_influence[places],
        ),
        nodes=requests.nodes[places],
        divided=[dataclasses.replace(division, place=division.place[places]) for division in requests.divided],
    )


def parquet(requests: JudgedRequests) -> bytes:
    """As the content of a file; figures as float32."""
    found = requests.ranking
    columns = {"request": requests.requests, "content": requests.contents}
    columns |= {name: values.astype(np.int32) for name, values in vars(requests).items() if name in _COUNTS}
    figures = {**found.by_request, "log_loss": found.log_losses, "scores": found.scores, "auc": found.auc_influence}
    columns |= {name: values.astype(np.float32) for name, values in figures.items()}
    columns |= {f"{_NODE}{level + 1}": of.astype(np.int32) for level, of in enumerate(requests.nodes.T)}
    for division in requests.divided:
        place = pa.array(division.place.astype(np.int8), mask=division.place < 0)
        columns[f"{_SLICE}{division.title}"] = pa.DictionaryArray.from_arrays(place, division.names)
    about = {"whole": requests.whole, "auc": None if math.isnan(found.auc) else found.auc}
    table = pa.table(columns).replace_schema_metadata({_METADATA: json.dumps(about).encode()})
    written = io.BytesIO()
    pq.write_table(table, written, compression="zstd")
    return written.getvalue()


def read_parquet(path: str) -> JudgedRequests:
    """What `parquet` wrote.

    Raises:
      ValueError: if the file is no such thing.
      OSError: if there is none.
    """
    try:
        table = pq.read_table(path)
        about = json.loads(table.schema.metadata[_METADATA])
        plain = {
            name: table[name].to_numpy() for name in table.column_names if not pa.types.is_dictionary(table[name].type)
        }
        nodes = [name for name in plain if name.startswith(_NODE)]
        return JudgedRequests(
            requests=plain["request"],
            contents=plain["content"],
            items=plain["items"],
            positives=plain["positives"],
            ranking=Ranking(
                by_request={name: plain[name].astype(np.float64) for name in PER_REQUEST},
                log_losses=plain["log_loss"].astype(np.float64),
                scores=plain["scores"].astype(np.float64),
                auc=np.nan if about["auc"] is None else about["auc"],
                auc_influence=plain["auc"].astype(np.float64),
            ),
            nodes=np.array([plain[name] for name in nodes], np.int64).reshape(len(nodes), table.num_rows).T,
            divided=[_division(name, table[name]) for name in table.column_names if name not in plain],
            whole=about["whole"],
        )
    except (pa.ArrowException, RuntimeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: is no file of a report's requests: {type(error).__name__}: {error}") from error


def _division(name: str, column: pa.ChunkedArray) -> Division:
    values = column.unify_dictionaries().combine_chunks()
    place = values.indices.fill_null(-1).to_numpy()
    return Division(name.removeprefix(_SLICE), "", values.dictionary.to_pylist(), place)
