"""TFMA over scored requests: no model is called."""

from collections.abc import Iterator

import apache_beam as beam
import numpy as np
import tensorflow_model_analysis as tfma

from components.split_scorer import request_scores
from components.split_scorer.request_scores import RequestScores
from reporting.slices import SLICINGS


def with_baseline(config: tfma.EvalConfig) -> tfma.EvalConfig:
    """The configuration of two models, the candidate's scores beside the baseline's."""
    both = tfma.utils.update_eval_config_with_defaults(config, has_baseline=True, rubber_stamp=True)
    for spec in both.model_specs:
        if spec.is_baseline:
            spec.prediction_key = "baseline"
    return both


def measure(pipeline: beam.Pipeline, scores: str, config: tfma.EvalConfig, output: str) -> None:
    """Adds the evaluation to a Beam pipeline; TFMA writes its files into the folder ``output``.

    Args:
      pipeline: in which it runs.
      scores: folder of the scores.
      config: metrics and slices; a slicing feature is a level of the category path or the key of a `Slicing`.
      output: folder of a ModelEvaluation.
    """
    features = [spec.feature_keys[0] for spec in config.slicing_specs if spec.feature_keys]
    specs = {spec.name: spec.prediction_key for spec in config.model_specs}
    _ = (
        pipeline
        | "Files" >> beam.Create(request_scores.files(scores))
        | "OneByOne" >> beam.Reshuffle()
        | "Rows" >> beam.FlatMap(request_scores.read_file)
        | "Extracts" >> beam.FlatMap(extracts, specs, features)
        | "Evaluate"
        >> tfma.ExtractEvaluateAndWriteResults(
            eval_config=config,
            extractors=[tfma.extractors.SliceKeyExtractor(eval_config=config, materialize=False)],
            output_path=output,
            display_only_data_location=scores,
        )
    )


def extracts(scores: RequestScores, predictions: dict[str, str], features: list[str]) -> Iterator[tfma.types.Extracts]:
    """What TFMA's extractors would make of each request.

    Args:
      scores: some requests.
      predictions: by the name of a model the attribute of its scores.
      features: the slicing features.
    """
    cuts = np.cumsum(scores.lengths)[:-1]
    by_model = {name: np.split(getattr(scores, attribute), cuts) for name, attribute in predictions.items()}
    sliced = {name: _values(scores, name) for name in features}
    for place, grades in enumerate(np.split(scores.grades, cuts) if len(scores.lengths) else ()):
        of_models = {name: of[place] for name, of in by_model.items()}
        yield {
            tfma.FEATURES_KEY: {name: values[place : place + 1] for name, values in sliced.items()},
            tfma.LABELS_KEY: dict.fromkeys(of_models, grades) if len(of_models) > 1 else grades,
            tfma.PREDICTIONS_KEY: of_models if len(of_models) > 1 else next(iter(of_models.values())),
            tfma.EXAMPLE_WEIGHTS_KEY: dict.fromkeys(of_models) if len(of_models) > 1 else None,
        }


def _values(scores: RequestScores, feature: str) -> np.ndarray:
    """[R] bytes, the slice of each request."""
    if feature in scores.levels:
        return scores.names[:, scores.levels.index(feature)]
    [slicing] = [one for one in SLICINGS if one.key == feature]
    names = np.array([name.encode() for name in slicing.names], object)
    return names[slicing.places(getattr(scores, slicing.column))]
