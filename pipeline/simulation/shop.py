"""The simulated shop: what stands on its shelves, and what each shelf's customers like.

All of it is made up by us. People buy out of one of six motives, which come in three pairs of opposites. A motive is a
function of price, sales, rating and age, standardised within the shelf, and nearly all of it is products of two
(`motive_values`). One motive rules a top category (each rules two of the twelve); a sub-category
inherits it with a deviation. What is good on one shelf is bad on another, so that a single tower has to learn all
motives and to switch between them, where a mixture of experts learns a motive each and has the gate switch.
docs/demo-log.md says which variant exploits what, and how each property is switched off. Figures on this log say that a
model works as meant; they are no evidence of what it gains in a real shop.
"""

import dataclasses
import statistics

import numpy as np

from pipeline.simulation.shelves import PRICES, category_tree

MOTIVES = 3  # pairs of opposites
CATEGORY_TASTE = 4.5  # standard deviation of the motives' part of the log-odds of a click, on every shelf
LINEAR = 0.3  # of a single number in a motive, beside 1 for a product of two
DEVIATION = 0.15  # a sub-category's share of its own in its weights; the squares of both shares add up to 1
SUB_SPREAD = 0.35  # spread over the subs of a top of what is no taste (price, click rate, ...), over that of the tops
BRAND_TASTE = 0.1  # standard deviation of a brand's appeal, drawn for each top category
SHOP_TASTE = 0.1  # standard deviation of a shop's quality
ITEM_EFFECT = 0.1  # standard deviation of what no feature tells of an item
PRICE_SENSITIVITY = 0.5  # standard deviation over users of the weight of how dear a brand is
LOYALTY = (0.5, 0.1)  # weight of the match of user and brand: mean and spread over shelves, never negative
STYLES = 3  # length of the vectors whose dot product is the match of user and brand
SUB_PRICE_SPREAD = 0.5  # of the logarithm of the usual price, over the subs of a top
TOP_EXPONENT, SUB_EXPONENT = 0.8, 1.0  # Zipf exponents of traffic over tops, and over the subs of a top
OWN_BRANDS, SHARED_BRANDS, BRANDS_OF_A_SHELF = 25, 40, 35
MIN_ITEMS = 60  # the smallest shelf; a request shows 40 at most
# Items by rows^0.6. So many that most are shown a few times only: a model that can learn every item by
# heart needs to know nothing of its shelf.
ITEMS = 60


@dataclasses.dataclass(frozen=True)
class Taste:
    """What the customers of S sub-categories like. Depends on the seed and the switches, not on the rows.

    Attributes:
      tops, subs: names; ``top_of`` [S] the top of each sub-category.
      traffic: [S] share of the requests.
      motives: [S, MOTIVES] weights of `motive_values`, about one of them 1 or -1 and the others 0.
      loyalty: [S] weight of the match of user and brand.
      brands: [T, B'] the brands sold under each top; some are sold under several.
      appeal: [T, B] how a brand is liked under a top; ``tier`` [B] how dear, ``brand_style`` [B, STYLES].
      click_rate: [S] mean click probability of an item that is looked at.
      purchase_rate: [S] purchases a click.
    """

    tops: list[str]
    subs: list[str]
    top_of: np.ndarray
    traffic: np.ndarray
    motives: np.ndarray
    loyalty: np.ndarray
    brands: np.ndarray
    appeal: np.ndarray
    tier: np.ndarray
    brand_style: np.ndarray
    click_rate: np.ndarray
    purchase_rate: np.ndarray


@dataclasses.dataclass(frozen=True)
class Catalogue:
    """The items, sub-category after sub-category: those of s are ``first[s]`` .. ``first[s + 1] - 1``.

    Attributes:
      sub, brand, shop: [I] indices.
      price, sales, rating, age_days: [I] as the log shows them, NaN where missing; the age on the log's first day.
      sales_score: [I] standardised within the shelf.
      motive_values: [I, MOTIVES] how far each item meets each pair's first motive.
      known_utility: [I] log-odds of a click of an item that is looked at by the average user, without the item's own
        effect: what features can tell.
      utility: [I] the same with the item's own effect.
    """

    first: np.ndarray
    sub: np.ndarray
    brand: np.ndarray
    shop: np.ndarray
    price: np.ndarray
    sales: np.ndarray
    rating: np.ndarray
    age_days: np.ndarray
    sales_score: np.ndarray
    motive_values: np.ndarray
    known_utility: np.ndarray
    utility: np.ndarray


def zipf(count: int, exponent: float, shift: float = 0.0) -> np.ndarray:
    """Shares of ranks 1 .. count: proportional to (rank + shift)^-exponent, summing to 1."""
    shares = (np.arange(1, count + 1) + shift) ** -exponent
    return shares / shares.sum()


def make_taste(seed: int, category_taste: bool = True, inheritance: bool = True) -> Taste:
    """Draws the tree's tastes; the same for every size of log.

    Args:
      seed: of all draws.
      category_taste: False lets one motive and one set of brands' appeals rule the whole shop, without deviations.
      inheritance: False gives each sub-category a motive of its own, whatever its top's.
    """
    rng = np.random.default_rng([seed, 0])
    tree = category_tree()
    tops = [top for top, _ in tree]
    subs = [sub for _, names in tree for sub in names]
    top_of = np.repeat(np.arange(len(tops)), [len(names) for _, names in tree])
    traffic = np.concatenate(
        [
            share * zipf(len(names), SUB_EXPONENT)
            for share, (_, names) in zip(zipf(len(tops), TOP_EXPONENT), tree, strict=True)
        ]
    )
    ruling, ruling_of_subs = _ruling_motives(rng, len(tops)), _ruling_motives(rng, len(subs))
    # Dealt to all subs anew: each top's own would have all six motives in turn, which is less alike than by chance.
    ruling_of_subs = np.random.default_rng([seed, 4]).permutation(ruling_of_subs)
    motives = ruling[top_of] if inheritance else ruling_of_subs
    motives = np.sqrt(1 - DEVIATION**2) * motives + DEVIATION * rng.normal(size=motives.shape) / MOTIVES**0.5
    loyalty = rng.normal(*LOYALTY, size=len(subs))
    own = SHARED_BRANDS + np.arange(len(tops) * OWN_BRANDS).reshape(len(tops), OWN_BRANDS)
    borrowed = BRANDS_OF_A_SHELF - OWN_BRANDS
    shared = np.stack([rng.choice(SHARED_BRANDS, borrowed, replace=False) for _ in tops])
    brand_count = SHARED_BRANDS + own.size
    appeal = rng.normal(size=(len(tops), brand_count))
    if not category_taste:
        motives, appeal = np.broadcast_to(ruling[0], motives.shape), np.broadcast_to(appeal[0], appeal.shape)
        loyalty = np.full(len(subs), LOYALTY[0])
    return Taste(
        tops=tops,
        subs=subs,
        top_of=top_of,
        traffic=traffic,
        motives=motives,
        loyalty=np.maximum(loyalty, 0),
        brands=np.concatenate([shared, own], axis=1),
        appeal=appeal,
        tier=rng.normal(size=brand_count),
        brand_style=rng.normal(size=(brand_count, STYLES)) / STYLES**0.25,
        click_rate=np.clip(_by_shelf(rng, 0.3, 0.08, top_of), 0.1, 0.5),
        purchase_rate=np.clip(_by_shelf(rng, 0.12, 0.05, top_of), 0.02, 0.3),
    )


def motive_values(price: np.ndarray, sales: np.ndarray, rating: np.ndarray, age: np.ndarray) -> np.ndarray:
    """How far each item meets each pair's first motive; its opposite is the same with a minus.

    0. You get what you pay for: a high price asks for a high rating, and what sells well should be long proven.
    1. Fashion: the dear bestseller, and the well rated newcomer.
    2. Bargains: the cheap newcomer or the dear classic, and the crowd's verdict (many sales, high rating).

    Args:
      price, sales, rating, age: [I] standardised within the shelf.

    Returns:
      [I, MOTIVES], each of about mean 0 and variance 1.
    """
    values = np.stack(
        [
            price * rating + sales * age + LINEAR * (rating - price),
            price * sales - rating * age + LINEAR * (sales - age),
            price * age + sales * rating + LINEAR * (sales - price),
        ],
        axis=1,
    )
    return values / np.sqrt(2 + 2 * LINEAR**2)


def make_catalogue(taste: Taste, rows: int, seed: int) -> Catalogue:
    """Draws the items; their number grows with the 0.6th power of the rows, most of them in a long tail."""
    rng = np.random.default_rng([seed, 1, rows])
    shelf_size = taste.traffic**0.75
    sizes = MIN_ITEMS + np.floor(ITEMS * rows**0.6 * shelf_size / shelf_size.sum()).astype(np.int64)
    first = np.concatenate([[0], np.cumsum(sizes)])
    items = int(first[-1])
    sub = np.repeat(np.arange(len(sizes)), sizes)
    brand = np.empty(items, np.int64)
    for shelf, top in enumerate(taste.top_of):
        order = rng.permutation(taste.brands[top])
        brand[first[shelf] : first[shelf + 1]] = rng.choice(order, sizes[shelf], p=zipf(len(order), 1.0, 3))
    shops = 300 + int(rows**0.5 / 5)
    shop = rng.choice(shops, items, p=zipf(shops, 0.8, 5))
    shop_quality = rng.normal(size=shops)

    def scores() -> np.ndarray:
        return rng.normal(size=items)

    price_score = 0.85 * scores() + 0.5 * taste.tier[brand]
    sales_score, rating_score, age_score = scores(), scores(), scores()
    top_of = taste.top_of

    def spread_out(score, location, scale, scale_spread):
        return location[sub] + np.clip(_by_shelf(rng, scale, scale_spread, top_of), scale / 3, None)[sub] * score

    usual_price = np.log([PRICES[top] for top in taste.tops])[top_of] + SUB_PRICE_SPREAD * rng.normal(size=len(top_of))
    price = np.round(np.exp(spread_out(price_score, usual_price, 0.6, 0.15)), 2)
    sales = np.floor(np.exp(spread_out(sales_score, _by_shelf(rng, 4.5, 0.8, top_of), 1.3, 0.2)))
    rating = spread_out(rating_score, _by_shelf(rng, 4.1, 0.2, top_of), 0.4, 0.08)
    rating = np.round(np.clip(rating, 1, 5), 1)
    age_days = np.exp(spread_out(age_score, _by_shelf(rng, 4.8, 0.7, top_of), 0.9, 0.15))
    # A missing number moves nobody: it counts as the shelf's average.
    missing_price = rng.random(items) < 0.02
    missing_rating = rng.random(items) < np.where(sales_score < -1, 0.2, 0.03)
    price[missing_price], rating[missing_rating] = np.nan, np.nan
    price_score[missing_price], rating_score[missing_rating] = 0, 0

    values = motive_values(
        *(np.clip(score, -2.5, 2.5) for score in (price_score, sales_score, rating_score, age_score))
    )
    known_utility = (
        CATEGORY_TASTE * np.einsum("im,im->i", taste.motives[sub], values)
        + BRAND_TASTE * taste.appeal[top_of[sub], brand]
        + SHOP_TASTE * shop_quality[shop]
    )
    utility = known_utility + ITEM_EFFECT * scores()
    intercept = intercepts(utility, first, taste.click_rate)[sub]
    return Catalogue(
        first, sub, brand, shop, price, sales, rating, age_days, sales_score, values,
        known_utility + intercept, utility + intercept,
    )  # fmt: skip


def _ruling_motives(rng: np.random.Generator, shelves: int) -> np.ndarray:
    """[shelves, MOTIVES] one 1 or -1 a row; each six shelves in a row, busiest first, have all six motives."""
    both = np.concatenate([np.eye(MOTIVES), -np.eye(MOTIVES)])
    turns = -(-shelves // len(both))
    return np.concatenate([rng.permutation(both) for _ in range(turns)])[:shelves]


def _by_shelf(rng: np.random.Generator, mean: float, spread: float, top_of: np.ndarray) -> np.ndarray:
    """[S] normal values by top, spread evenly so that every seed has its extremes, and each sub's deviation."""
    tops = int(top_of.max()) + 1
    normal = statistics.NormalDist()
    quantiles = np.array([normal.inv_cdf((top + 0.5) / tops) for top in range(tops)])
    of_top = mean + spread * rng.permutation(quantiles)
    return of_top[top_of] + SUB_SPREAD * spread * rng.normal(size=len(top_of))


def intercepts(utility: np.ndarray, first: np.ndarray, click_rate: np.ndarray) -> np.ndarray:
    """[S] what added to a shelf's utilities makes their mean probability `click_rate` (by bisection)."""
    sizes = np.diff(first)
    low, high = np.full(len(sizes), -20.0), np.full(len(sizes), 20.0)
    for _ in range(40):
        middle = (low + high) / 2
        probability = 1 / (1 + np.exp(-(utility + np.repeat(middle, sizes))))
        too_low = np.add.reduceat(probability, first[:-1]) / sizes < click_rate
        low, high = np.where(too_low, middle, low), np.where(too_low, high, middle)
    return (low + high) / 2
