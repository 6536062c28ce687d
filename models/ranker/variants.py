"""The variants of the ranker: one table, one row for each. What code, search space and docs list follows from it."""

import dataclasses
from typing import Literal


@dataclasses.dataclass(frozen=True)
class Parts:
    """The parts of a ranker. The defaults are those of one tower without a gate.

    Attributes:
      gate: what chooses and weighs the experts. "category": the query's category path; "bucket": the item's whole
        input, by a gate for each bucket of top categories; "behaviour": the user's behaviours and the category path.
      constraint: whether the gate has constraint gates and the hierarchical soft constraint.
      disagreement: whether the experts have the adversarial loss.
      attention: whether histories are always pooled by target attention.
      cross_layers: number of cross layers, unless the configuration gives another.
      wide: whether the one tower has about as many parameters as all N experts of a mixture.
    """

    gate: Literal["none", "category", "bucket", "behaviour"] = "none"
    constraint: bool = False
    disagreement: bool = False
    attention: bool = False
    cross_layers: int = 0
    wide: bool = False


VARIANTS = {
    "dnn": Parts(),
    "dnn_wide": Parts(wide=True),
    "dcn": Parts(cross_layers=2),
    "din": Parts(attention=True),
    "moe": Parts("category"),
    "adv_moe": Parts("category", disagreement=True),
    "hsc_moe": Parts("category", constraint=True),
    "adv_hsc_moe": Parts("category", constraint=True, disagreement=True),
    "mmoe": Parts("bucket"),
    "aw_moe": Parts("behaviour", attention=True),
    "adv_hsc_aw_moe": Parts("behaviour", constraint=True, disagreement=True, attention=True),
}
