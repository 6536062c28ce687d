import pathlib
import re

from models.ranker.config import _READ_BY, ModelConfig
from models.ranker.variants import VARIANTS

METHOD = pathlib.Path(__file__).resolve().parents[3] / "docs/method.md"


def test_the_table_of_the_documentation_is_that_of_the_code():
    text = METHOD.read_text(encoding="utf-8").split("| `model.variant` |")[1].split("\n\n")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()[2:]]
    shown = {re.fullmatch(r"`(\w+)`", name)[1]: (gate, hsc, adv) for name, gate, hsc, adv in rows}
    assert list(shown) == list(VARIANTS)
    for name, (gate, hsc, adv) in shown.items():
        parts = VARIANTS[name]
        assert gate.startswith("none") == (parts.gate == "none"), name
        assert (hsc, adv) == tuple("yes" if has else "" for has in (parts.constraint, parts.disagreement)), name


def test_a_key_that_only_some_variants_read_is_a_key_and_is_read_by_some():
    assert _READ_BY.keys() <= ModelConfig.model_fields.keys()
    for key in _READ_BY:
        assert 0 < sum(ModelConfig(variant=variant).reads(key) for variant in VARIANTS) < len(VARIANTS), key
