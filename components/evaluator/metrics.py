"""Reads what TFMA has measured."""

import tensorflow_model_analysis as tfma

# {slicing feature: {its value: {metric: value}}}; all requests are the value "" of the feature "".
Slices = dict[str, dict[str, dict[str, float]]]


def read_metrics(evaluation: str, baseline: bool = False) -> Slices | None:
    """The metrics of a model by slice, of the candidate or of the one it is compared with.

    Args:
      evaluation: folder of a ModelEvaluation.
      baseline: of the model that the candidate is compared with.

    Returns:
      NaN where nothing counted; None if the candidate is compared with none.
    """
    result = tfma.load_eval_result(evaluation)
    names = [spec.name for spec in result.config.model_specs]  # [""] of a model that was judged alone
    name = tfma.BASELINE_KEY if baseline else names[0]
    if name not in names:
        return None
    slices: Slices = {}
    for key, outputs in tfma.load_eval_result(evaluation, model_name=name).slicing_metrics:
        # A slice has one feature here, or none; the model has one output and no sub keys.
        feature, value = key[0] if key else ("", "")
        values = {metric: float(number.get("doubleValue", "nan")) for metric, number in outputs[""][""].items()}
        slices.setdefault(feature, {})[value] = values
    return slices
