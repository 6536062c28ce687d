"""A shop that changes from day to day: taste drifts, and new sub-categories are opened."""

import dataclasses

import numpy as np

from pipeline.simulation import shop
from pipeline.simulation.traffic import DAY, START, Requests


def next_day(
    taste: shop.Taste, catalogue: shop.Catalogue, drift: float, rng: np.random.Generator
) -> tuple[shop.Taste, shop.Catalogue]:
    """Tomorrow's taste, and the same items as they are liked then.

    The motives m of each top category, and the brands' appeal under it, turn by an angle whose sine is ``drift``:
    m' = sqrt(1 - drift^2) m + drift n, n normal and as long as m in the mean, the same n for all subs of a top. Click
    rates stay.

    Args:
      taste, catalogue: of today.
      drift: in [0, 1]; 0 changes nothing.
      rng: of the draws.
    """
    tops = len(taste.tops)
    keep = np.sqrt(1 - drift**2)
    turn = rng.normal(size=(tops, shop.MOTIVES)) / shop.MOTIVES**0.5
    motives = keep * taste.motives + drift * turn[taste.top_of]
    appeal = keep * taste.appeal + drift * rng.normal(size=taste.appeal.shape)
    sub, top = catalogue.sub, taste.top_of[catalogue.sub]
    change = shop.CATEGORY_TASTE * np.einsum("im,im->i", (motives - taste.motives)[sub], catalogue.motive_values)
    change += shop.BRAND_TASTE * (appeal - taste.appeal)[top, catalogue.brand]
    change += shop.intercepts(catalogue.utility + change, catalogue.first, taste.click_rate)[sub]
    return (
        dataclasses.replace(taste, motives=motives, appeal=appeal),
        dataclasses.replace(
            catalogue, known_utility=catalogue.known_utility + change, utility=catalogue.utility + change
        ),
    )


def without_the_unopened(requests: Requests, taste: shop.Taste, days: int, share: float, seed: int) -> Requests:
    """The requests of a shop whose newer sub-categories are opened one by one.

    A share of the sub-categories, never the busiest of a top, opens on a day drawn from the second to the last.
    Requests before that go to the busiest of the same top.

    Args:
      requests: of the shop with all sub-categories.
      taste: for the tree.
      days: of the log.
      share: of the sub-categories, that open later.
      seed: of the draws.
    """
    rng = np.random.default_rng([seed, 5])
    busiest = np.searchsorted(taste.top_of, np.arange(len(taste.tops)))
    others = np.setdiff1d(np.arange(len(taste.subs)), busiest)
    opens = np.zeros(len(taste.subs), np.int64)
    late = rng.permutation(others)[: round(share * len(taste.subs))]
    opens[late] = rng.integers(1, max(2, days), len(late))
    closed = opens[requests.sub] > (requests.timestamp - START) // DAY
    return dataclasses.replace(requests, sub=np.where(closed, busiest[taste.top_of[requests.sub]], requests.sub))
