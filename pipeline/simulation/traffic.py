"""The requests of the simulated shop: who searches where, what is shown in which order, what is clicked."""

import dataclasses
import datetime

import numpy as np

from pipeline.simulation.shop import PRICE_SENSITIVITY, STYLES, Catalogue, Taste, zipf

START_DATE = datetime.date(2024, 1, 1)
START = 1_704_067_200  # its beginning in UTC
DAY = 86_400  # seconds
DAYS = 28
MIN_SHOWN, MAX_SHOWN = 8, 40
RETRIEVED = 96  # items the search engine retrieves for a query, of which it shows up to MAX_SHOWN
FAVOURITES = 3  # sub-categories a user comes back to
RANKER_SALES, RANKER_UTILITY, RANKER_NOISE = 0.35, 0.05, 1.0  # the production ranker's score
EXAMINATION = np.arange(1, MAX_SHOWN + 1) ** -0.35  # probability that a position is looked at
REDRAWS = 8  # of the production ranker's noise, to average the examination over

# Requests in each hour of the day, in proportion.
_HOURS = np.array([3, 2, 1, 1, 1, 2, 3, 5, 6, 7, 8, 8, 8, 7, 7, 7, 7, 8, 9, 10, 11, 11, 9, 6], float)


@dataclasses.dataclass(frozen=True)
class Requests:
    """All requests of a log in order of time: [R] each. ``shown`` is the number of items."""

    timestamp: np.ndarray
    user: np.ndarray
    sub: np.ndarray
    shown: np.ndarray


@dataclasses.dataclass(frozen=True)
class Users:
    """[U] users: the match of a brand is ``style . brand_style``; ``price_sensitivity`` weighs the brand's tier."""

    style: np.ndarray
    price_sensitivity: np.ndarray


@dataclasses.dataclass(frozen=True)
class Impressions:
    """The shown items of n requests, [n, MAX_SHOWN] in the order shown; ``valid`` where there is one.

    `known_probability` is `click_probability` for the average user, without the item's own effect.
    """

    valid: np.ndarray
    item: np.ndarray
    click_probability: np.ndarray
    known_probability: np.ndarray
    click: np.ndarray
    purchase: np.ndarray


def make_requests(
    taste: Taste, rows: int, seed: int, user_taste: bool = True, days: int = DAYS
) -> tuple[Requests, Users]:
    """Draws requests of some days that show at least ``rows`` items, and not one request more, and their users.

    Without ``user_taste`` all users are alike.
    """
    rng = np.random.default_rng([seed, 2, rows])
    most = rows // MIN_SHOWN + 1
    shown = MIN_SHOWN + (rng.beta(1.2, 2.0, most) * (MAX_SHOWN + 1 - MIN_SHOWN)).astype(np.int64)
    count = int(np.searchsorted(np.cumsum(shown), rows)) + 1
    shown = shown[:count]
    users = max(20, int(2 * count**0.85))
    # A few users search every day and many once: Zipf, flattened at the head.
    user = rng.choice(users, count, p=zipf(users, 1.0, 50))
    favourite = rng.choice(len(taste.subs), (users, FAVOURITES), p=taste.traffic)
    at_home = rng.random(count) < 0.5
    sub = np.where(
        at_home,
        favourite[user, rng.integers(FAVOURITES, size=count)],
        rng.choice(len(taste.subs), count, p=taste.traffic),
    )
    hour = rng.integers(days, size=count) * 24 + rng.choice(24, count, p=_HOURS / _HOURS.sum())
    timestamp = np.sort(START + hour * 3600 + rng.integers(3600, size=count))
    return (
        Requests(timestamp, user, sub, shown),
        Users(
            user_taste * rng.normal(size=(users, STYLES)) / STYLES**0.25,
            user_taste * PRICE_SENSITIVITY * rng.normal(size=users),
        ),
    )


def show(
    taste: Taste,
    catalogue: Catalogue,
    users: Users,
    requests: Requests,
    block: slice,
    rng: np.random.Generator,
) -> Impressions:
    """Shows items for a block of requests and draws what is clicked and bought.

    P(click) = examination(position) * sigmoid(utility of the item on its shelf for this user). The
    `click_probability` that is returned has the examination averaged over the noise of the production
    ranker instead (by `REDRAWS` draws of it): of the scores that do not look at the position, it is
    the best there is, in session AUC, for the clicks of the log, and it is calibrated. It knows the
    user's taste and the item's own effect, which no model can know in full. `known_probability` leaves these two out:
    the best that can be known of an item on its shelf.
    """
    user, sub, shown = requests.user[block], requests.sub[block], requests.shown[block]
    item = _retrieve(catalogue, sub, rng)
    valid = np.arange(MAX_SHOWN) < shown[:, None]

    score = RANKER_SALES * catalogue.sales_score[item] + RANKER_UTILITY * catalogue.utility[item]
    score[~valid] = -np.inf

    def ranking() -> np.ndarray:
        noise = rng.standard_normal(score.shape, np.float32)
        return np.argsort(-(score + RANKER_NOISE * noise), axis=1, kind="stable")

    examination = np.zeros(score.shape)
    drawn = np.empty(score.shape)
    for _ in range(REDRAWS):
        np.put_along_axis(drawn, ranking(), EXAMINATION[None, :], axis=1)
        examination += drawn / REDRAWS

    match = np.einsum("rs,ris->ri", users.style[user], taste.brand_style[catalogue.brand[item]])
    log_odds = (
        catalogue.utility[item]
        + users.price_sensitivity[user][:, None] * taste.tier[catalogue.brand[item]]
        + taste.loyalty[sub][:, None] * match
    )
    attraction = 1 / (1 + np.exp(-log_odds))
    known = 1 / (1 + np.exp(-catalogue.known_utility[item]))

    order = ranking()
    item, attraction, known, examination = (
        np.take_along_axis(x, order, 1) for x in (item, attraction, known, examination)
    )
    click = valid & (rng.random(valid.shape) < EXAMINATION * attraction)
    purchase = click & (rng.random(valid.shape) < taste.purchase_rate[sub][:, None])
    return Impressions(valid, item, examination * attraction, examination * known, click, purchase)


def _retrieve(catalogue: Catalogue, sub: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """[n, MAX_SHOWN] different items of each request's shelf, those that sell more likely.

    A query matches a run of `RETRIEVED` items of the shelf, from a place drawn at random; of these the
    items with the largest log(sales) / 2 + Gumbel noise are shown.
    """
    first, size = catalogue.first[sub], np.diff(catalogue.first)[sub]
    place = rng.integers(size)[:, None] + np.arange(RETRIEVED)
    item = first[:, None] + place % size[:, None]
    weight = 0.5 * catalogue.sales_score[item] - np.log(rng.standard_exponential(item.shape, np.float32) + 1e-30)
    weight[np.arange(RETRIEVED) >= size[:, None]] = -np.inf  # a shelf of fewer items: each once
    chosen = np.argpartition(-weight, MAX_SHOWN, axis=1)[:, :MAX_SHOWN]
    return np.take_along_axis(item, chosen, 1)
