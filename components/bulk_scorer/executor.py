"""What BulkScorer does."""

import json
import os

import apache_beam as beam
from apache_beam.ml.inference.base import RunInference
from tensorflow.core.protobuf import saved_model_pb2
from tfx import types
from tfx.dsl.components.base import base_beam_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils

from components import scoring
from components.bulk_scorer.scorer import ItemScorer
from schemas.log_schema import LogSchema
from schemas.parsing import parse_schema

SUMMARY = "_summary.json"  # whoever reads a folder of Parquet leaves out names that begin with an underscore


class Executor(base_beam_executor.BaseBeamExecutor):
    """Executor of BulkScorer."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict,
    ) -> None:
        """Scores file by file.

        Args:
          input_dict:
            - examples: requests, a tf.Example each, in gzipped TFRecords.
          output_dict:
            - scores: ``scores-*.parquet``, one for each file of the examples, with the columns of
              `scorer.SCORES`; ``_summary.json``: {"requests", "items", "model_version"}.
          exec_properties:
            - model: the folder of the SavedModel.
            - model_version: its number.
            - schema: text of the schema.

        Raises:
          ValueError: if the model is none of ours, or takes features that the schema does not have.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        examples = artifact_utils.get_single_instance(input_dict["examples"])
        folder = artifact_utils.get_single_uri(output_dict["scores"])
        model, version = exec_properties["model"], exec_properties["model_version"]
        schema = parse_schema(exec_properties["schema"], labelled=False)
        check_model(model, schema)
        splits = artifact_utils.decode_split_names(examples.split_names)
        files = sorted(
            path for split in splits for path in fileio.glob(f"{artifact_utils.get_split_uri([examples], split)}/*")
        )
        fileio.makedirs(folder)
        with self._make_beam_pipeline() as pipeline:
            _ = (
                pipeline
                | "Shards" >> beam.Create(scoring.shards(files, folder))
                | "OneByOne" >> beam.Reshuffle()
                | "Score" >> RunInference(ItemScorer(model, version, schema.item_id.name))
                | "Add" >> beam.CombineGlobally(scoring.add)
                | "WriteSummary" >> beam.Map(_write_json, {"model_version": version}, os.path.join(folder, SUMMARY))
            )
        scoring.remove_unfinished(folder)


def check_model(folder: str, schema: LogSchema) -> None:
    """Refuses a model that cannot score requests of ``schema``; reads its signatures and loads nothing.

    Raises:
      ValueError: naming the model, and the signature or the features that are missing.
    """
    with fileio.open(os.path.join(folder, "saved_model.pb"), "rb") as file:
        graph = saved_model_pb2.SavedModel.FromString(file.read()).meta_graphs[0]
    if scoring.SIGNATURE not in graph.signature_def:
        raise ValueError(f"{folder}: the model has no signature {scoring.SIGNATURE}; was it pushed by this pipeline?")
    # `serving_default` takes serialized tf.Examples; what it reads of them are the inputs of `rank`.
    wanted = set(graph.signature_def["rank"].inputs)
    if missing := sorted(wanted - {feature.name for feature in schema.features}):
        raise ValueError(
            f"{folder}: the model takes the features {', '.join(missing)}, which the schema does not have; score with "
            "the configuration that it was trained with"
        )


def _write_json(counts: dict, more: dict, path: str) -> None:
    with fileio.open(path, "w") as file:
        file.write(json.dumps(counts | more))
