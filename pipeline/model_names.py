"""Names that tell what belongs to one trained model from what belongs to another model of the same pipeline."""

# The model that orders search results. Its pushed versions, its components and its checkpoints carry this name.
RANKER = "ranker"


def node_id(component: str, model: str = RANKER) -> str:
    """The id of a component that works for one model, for example "RankerTrainer".

    Args:
      component: the component's class, for example "Trainer".
      model: name of the model, for example "ranker" or "pre_ranker".
    """
    return "".join(word.capitalize() for word in model.split("_")) + component
