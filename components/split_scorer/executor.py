"""What SplitScorer does."""

from typing import Any

import apache_beam as beam
from apache_beam.ml.inference.base import RunInference
from tfx import types
from tfx.dsl.components.base import base_beam_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils

from common.progress import progress
from common.warnings import keep_warnings
from components import scoring
from components.evaluator.signatures import read_signatures, reads_the_same_log
from components.split_scorer.scorer import RequestScorer
from components.timing import timed


@timed
class Executor(base_beam_executor.BaseBeamExecutor):
    """Executor of SplitScorer."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Scores file by file.

        Args:
          input_dict: ``examples``, ``transform_graph``, ``model``, and ``baseline_model``, if there is a blessed model.
            A baseline that reads features which this log does not have is left out with a warning.
          output_dict: ``scores``: ``scores-*.parquet``, one for each file of the split, as described in
            `request_scores`.
          exec_properties: ``split``, ``label`` and ``schema``, the text.

        Raises:
          FileNotFoundError: if the split has no file.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        folder = artifact_utils.get_single_uri(output_dict["scores"])
        split = artifact_utils.get_split_uri(input_dict["examples"], exec_properties["split"])
        if not (files := fileio.glob(f"{split}/*")):
            raise FileNotFoundError(f"{split}: the split has no file of requests; see `data.split`")
        model = artifact_utils.get_single_instance(input_dict["model"])
        fileio.makedirs(folder)
        with keep_warnings(folder):
            scorer = RequestScorer(
                scoring.saved_model(model),
                _comparable(model, input_dict.get("baseline_model") or []),
                artifact_utils.get_single_uri(input_dict["transform_graph"]),
                exec_properties["schema"],
                exec_properties["label"],
            )
        with self._make_beam_pipeline() as pipeline:
            _ = (
                pipeline
                | "Shards" >> beam.Create(scoring.shards(files, folder))
                | "OneByOne" >> beam.Reshuffle()
                | "Score" >> RunInference(scorer)
            )
        scoring.remove_unfinished(folder)


def _comparable(model: types.Artifact, baselines: list[types.Artifact]) -> str | None:
    """The SavedModel of the last blessed model, if it reads the log that ``model`` was trained on."""
    for baseline in baselines:
        if reads_the_same_log(*(read_signatures(scoring.saved_model(one)) for one in (model, baseline))):
            return scoring.saved_model(baseline)
        progress.warning(
            "the last blessed model reads features that this log does not have: the new model is evaluated alone"
        )
    return None
