import json
import math

import pytest

from reporting.html import script_json
from reporting.words import number, percent, seconds, signed


def test_json_in_a_script_neither_ends_it_nor_breaks_the_parser():
    value = {"name": "</script><!-- & \u202e", "figures": [math.nan, math.inf, 1.5, None]}
    written = str(script_json(value))
    assert not set("<>&\u202e") & set(written)
    assert json.loads(written) == {"name": "</script><!-- & \\u202e", "figures": [None, None, 1.5, None]}


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (number(1234567), "1,234,567"),
        (number(0.12345, 4), "0.1235"),
        (number(-0.0004, 2), "0.00"),
        (signed(-0.00001), "+0.0000"),
        (number(None), "–"),
        (number(math.nan, 4), "–"),
        (signed(-0.0312), "−0.0312"),
        (signed(0.0312), "+0.0312"),
        (percent(0.1234), "12.3 %"),
        (seconds(0.42), "0.42 s"),
        (seconds(48.2), "48 s"),
        (seconds(200), "3 min 20 s"),
        (seconds(3725), "1 h 2 min"),
    ],
)
def test_figures_as_they_are_shown(shown, text):
    assert shown == text
