"""Histories built from the log: what a user did before a request, never at the same second or later."""

import numpy as np
import pyarrow as pa

from components.click_log_example_gen.arrow import codes_of, filled, lists_of, one_array, ranges_of
from components.click_log_example_gen.formats import LINE
from components.click_log_example_gen.requests import TIME
from components.click_log_example_gen.rows import FILE


def build_histories(
    users: pa.Array, times: np.ndarray, events: pa.Table, features: dict[str, str], length: int
) -> dict[str, pa.Array]:
    """The histories of some requests.

    Args:
      users: large_string [requests], "" where the user is not known (such a history is empty).
      times: int64 [requests], seconds.
      events: all events of these users, as `Requests.events` gives them.
      features: {history: the item feature it is of}.
      length: how many of the last events are kept.

    Returns:
      {history: large_list [requests]}, oldest first: events of the same user with a time strictly before the
      request's, in the order of (time, file, line).
    """
    who, _ = codes_of(pa.chunked_array([one_array(events["@user"]), users]))
    moments, when = np.unique(np.concatenate([events[TIME].to_numpy(), times]), return_inverse=True)
    # One number orders by user, then time: both are small codes, so it does not overflow.
    keys = who * (len(moments) + 1) + when
    event_keys, request_keys = keys[: len(events)], keys[len(events) :]
    places = [events[name].to_numpy() for name in ("@index", LINE, FILE)]
    order = np.lexsort((*places, event_keys))
    event_keys = event_keys[order]
    end = np.searchsorted(event_keys, request_keys, side="left")
    begin = np.searchsorted(event_keys, who[len(events) :] * (len(moments) + 1), side="left")
    begin = np.maximum(begin, end - length)
    histories = {}
    for name, of in features.items():
        values = filled(one_array(events[of]), "bytes").take(pa.array(order))
        histories[name] = lists_of(*ranges_of(values, begin, end - begin))
    return histories
