"""The simulated shop: what stands on its shelves, and what each shelf's customers like.

All of it is made up by us. By construction a top category has weights of its own, some of opposite
sign to another's, for price, sales, rating, age, brand and shop; a sub-category inherits them
with a deviation. The constants below are the one of five settings tried that was chosen so that models
which adapt to the category have something to gain: with 300,000 impressions, a tower for each top category
was 0.007 of session AUC above one shared tower, whose inputs hold the category too. Figures on
this log say that a model works as meant; they are no evidence of what it gains in a real shop.
"""

import dataclasses
import statistics

import numpy as np

from pipeline.simulation.shelves import PRICES, category_tree

# Mean over the top categories, spread over them: weights of numbers standardised within the shelf.
TASTES = {
    "price": (0.0, 0.8),
    "price_band": (0.4, 0.25),  # weight of the squared distance to the preferred price, never negative
    "preferred_price": (0.0, 0.6),
    "sales": (0.2, 0.6),
    "rating": (0.2, 0.6),
    "age": (0.0, 0.8),
    # Products of two: a rating counts for more where many have bought, a high price wants a high rating, ...
    "price_rating": (0.0, 0.7),
    "sales_rating": (0.0, 0.7),
    "price_age": (0.0, 0.7),
    "brand": (0.3, 0.15),  # of the brand's appeal on this shelf, never negative
    "loyalty": (0.25, 0.15),  # of the match of user and brand, never negative
    "shop": (0.1, 0.3),
}
NEVER_NEGATIVE = ("price_band", "brand", "loyalty")
DEVIATION = 0.35  # a sub-category's deviation from its top, in units of the spread over the tops
ITEM_EFFECT = 0.2  # standard deviation of what no feature tells of an item
PRICE_SENSITIVITY = 0.2  # standard deviation over users
STYLES = 3  # length of the vectors whose dot product is the match of user and brand
TOP_EXPONENT, SUB_EXPONENT = 0.8, 1.0  # Zipf exponents of traffic over tops, and over the subs of a top
OWN_BRANDS, SHARED_BRANDS, BRANDS_OF_A_SHELF = 25, 40, 35
MIN_ITEMS = 60  # the smallest shelf; a request shows 40 at most


@dataclasses.dataclass(frozen=True)
class Taste:
    """What the customers of S sub-categories like. Depends on the seed only.

    Attributes:
      tops, subs: names; ``top_of`` [S] the top of each sub-category.
      traffic: [S] share of the requests.
      weights: [S] a name of TASTES.
      brands: [T, B'] the brands sold under each top; some are sold under several.
      appeal: [T, B] how a brand is liked under a top; ``tier`` [B] how dear, ``brand_style`` [B, STYLES].
      click_rate: [S] mean click probability of an item that is looked at.
      purchase_rate: [S] purchases a click.
    """

    tops: list[str]
    subs: list[str]
    top_of: np.ndarray
    traffic: np.ndarray
    weights: dict[str, np.ndarray]
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
      price_score, sales_score: [I] standardised within the shelf.
      utility: [I] log-odds of a click of an item that is looked at by the average user.
    """

    first: np.ndarray
    sub: np.ndarray
    brand: np.ndarray
    shop: np.ndarray
    price: np.ndarray
    sales: np.ndarray
    rating: np.ndarray
    age_days: np.ndarray
    price_score: np.ndarray
    sales_score: np.ndarray
    utility: np.ndarray


def zipf(count: int, exponent: float, shift: float = 0.0) -> np.ndarray:
    """Shares of ranks 1 .. count: proportional to (rank + shift)^-exponent, summing to 1."""
    shares = (np.arange(1, count + 1) + shift) ** -exponent
    return shares / shares.sum()


def make_taste(seed: int) -> Taste:
    """Draws the tree's tastes; the same for every size of log."""
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
    weights = {}
    for name, (mean, spread) in TASTES.items():
        weight = _by_shelf(rng, mean, spread, top_of)
        weights[name] = np.maximum(weight, 0) if name in NEVER_NEGATIVE else weight
    own = SHARED_BRANDS + np.arange(len(tops) * OWN_BRANDS).reshape(len(tops), OWN_BRANDS)
    borrowed = BRANDS_OF_A_SHELF - OWN_BRANDS
    shared = np.stack([rng.choice(SHARED_BRANDS, borrowed, replace=False) for _ in tops])
    brand_count = SHARED_BRANDS + own.size
    return Taste(
        tops=tops,
        subs=subs,
        top_of=top_of,
        traffic=traffic,
        weights=weights,
        brands=np.concatenate([shared, own], axis=1),
        appeal=rng.normal(size=(len(tops), brand_count)),
        tier=rng.normal(size=brand_count),
        brand_style=rng.normal(size=(brand_count, STYLES)) / STYLES**0.25,
        click_rate=np.clip(_by_shelf(rng, 0.15, 0.04, top_of), 0.05, 0.3),
        purchase_rate=np.clip(_by_shelf(rng, 0.12, 0.05, top_of), 0.02, 0.3),
    )


def make_catalogue(taste: Taste, rows: int, seed: int) -> Catalogue:
    """Draws the items; their number grows with the 0.6th power of the rows."""
    rng = np.random.default_rng([seed, 1, rows])
    shelf_size = taste.traffic**0.75
    sizes = MIN_ITEMS + np.floor(3 * rows**0.6 * shelf_size / shelf_size.sum()).astype(np.int64)
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

    usual_price = np.log([PRICES[top] for top in taste.tops])[top_of] + 0.5 * rng.normal(size=len(top_of))
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

    weight = {name: values[sub] for name, values in taste.weights.items()}
    utility = (
        weight["price"] * price_score
        - weight["price_band"] * (price_score - weight["preferred_price"]) ** 2
        + weight["sales"] * sales_score
        + weight["rating"] * rating_score
        + weight["age"] * age_score
        + weight["price_rating"] * price_score * rating_score
        + weight["sales_rating"] * sales_score * rating_score
        + weight["price_age"] * price_score * age_score
        + weight["brand"] * taste.appeal[top_of[sub], brand]
        + weight["shop"] * shop_quality[shop]
        + ITEM_EFFECT * scores()
    )
    utility += _intercepts(utility, first, taste.click_rate)[sub]
    return Catalogue(
        first, sub, brand, shop, price, sales, rating, age_days, price_score, sales_score, utility
    )  # fmt: skip


def _by_shelf(rng: np.random.Generator, mean: float, spread: float, top_of: np.ndarray) -> np.ndarray:
    """[S] normal values by top, spread evenly so that every seed has its extremes, and each sub's deviation."""
    tops = int(top_of.max()) + 1
    normal = statistics.NormalDist()
    quantiles = np.array([normal.inv_cdf((top + 0.5) / tops) for top in range(tops)])
    of_top = mean + spread * rng.permutation(quantiles)
    return of_top[top_of] + DEVIATION * spread * rng.normal(size=len(top_of))


def _intercepts(utility: np.ndarray, first: np.ndarray, click_rate: np.ndarray) -> np.ndarray:
    """[S] what added to a shelf's utilities makes their mean probability `click_rate` (by bisection)."""
    sizes = np.diff(first)
    low, high = np.full(len(sizes), -20.0), np.full(len(sizes), 20.0)
    for _ in range(40):
        middle = (low + high) / 2
        probability = 1 / (1 + np.exp(-(utility + np.repeat(middle, sizes))))
        too_low = np.add.reduceat(probability, first[:-1]) / sizes < click_rate
        low, high = np.where(too_low, middle, low), np.where(too_low, high, middle)
    return (low + high) / 2
