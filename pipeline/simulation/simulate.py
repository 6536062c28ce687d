"""Writes the demo log: the click log of a simulated shop, in the format a real shop would write.

**This is data made up by us.** Tastes differ by shelf by construction (see `pipeline.simulation.shop`),
so that a ranker that adapts to the category has something to gain; every page that shows figures of
this log says so. What is simulated: 12 top and about 150 sub-categories of unequal size and traffic
(Zipf), items with brand, shop, price, sales, rating and age whose distributions differ by shelf, users
with tastes and histories (many with almost none), a mediocre production ranker, examination that falls
with position, clicks and purchases. Its columns are the features of schemas/demo.pbtxt.
"""

import dataclasses
import datetime
import itertools
import os
import pathlib
import re
import time

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from common.progress import Meter
from pipeline.simulation import shop, traffic
from pipeline.simulation.days import next_day, without_the_unopened

FORMATS = ("csv", "parquet")
ROWS_A_FILE = 1_000_000
HISTORY_LENGTH = 20
_ROWS_A_WRITE = 100_000


def simulate(
    out: str | os.PathLike,
    rows: int,
    seed: int = 1,
    format: str = "csv",
    category_taste: bool = True,
    inheritance: bool = True,
    user_taste: bool = True,
    days: int | None = None,
    drift: float = 0.0,
    new_categories: float = 0.0,
) -> dict:
    """Simulates a click log and writes it to a folder as impressions-00000.csv (or .parquet), -00001, ...

    One row is one impression; rows stand in order of time, a request's by position, and no request is cut
    by a file's end. Histories hold the items that the user clicked in earlier requests of the log, the last
    20 of them, oldest first and separated by spaces. A missing price or rating is an empty field. The files get
    their names when all of them are written, so a killed run leaves no log that looks whole; files
    of an earlier run in the folder are replaced.

    With ``days``, the log is of so many days instead of four weeks, and has a file a day: impressions-20240101.csv ..

    The log depends on (rows, seed), the three switches and what is said of days alone, byte for byte, on one machine
    and version of numpy; the shop's taste on the seed and the switches. Items, users and shops grow slower than the
    rows. Memory grows with the requests (about 100 bytes each) beside one file's rows.

    Args:
      out: the folder; made if there is none.
      rows: how many impressions; the last request is written whole, so up to 39 more.
      seed: of everything that is drawn.
      format: "csv" or "parquet".
      category_taste: False: one taste on all shelves, so that a gate by category has nothing to choose.
      inheritance: False: a sub-category's taste has nothing to do with its top's or its siblings'.
      user_taste: False: all users are alike, so that a history tells nothing.
      days: a file for each; from 1 to 28.
      drift: how far taste turns from one day to the next, in [0, 1], see `pipeline.simulation.days`; needs ``days``.
      new_categories: the share of the sub-categories that is opened after the first day; needs ``days``.

    Returns:
      `rows`, `requests`, `users` and `items` (with an impression), `top_categories`, `sub_categories`,
      `clicks`, `purchases`, `click_rate` and `purchase_rate` (an impression), `files`, `bytes`, `seconds`, and
      `session_auc`: the mean AUC of a request's clicks, over requests with a click and a non-click, for
      ranking by the true click probability (the oracle), by the known one (the best without knowledge of the user and
      of the item's own effect), by sales, and by the position shown.

    Raises:
      ValueError: if `rows`, `seed` or `format` is out of range.
    """
    if rows < 1:
        raise ValueError(f"`rows` must be at least 1. Received: rows={rows}")
    if seed < 0:
        raise ValueError(f"`seed` must not be negative. Received: seed={seed}")
    if format not in FORMATS:
        raise ValueError(f"`format` must be one of {', '.join(FORMATS)}. Received: format={format!r}")
    if days is not None and not 1 <= days <= traffic.DAYS:
        raise ValueError(f"`days` must be in [1, {traffic.DAYS}]. Received: days={days}")
    for name, value in (("drift", drift), ("new_categories", new_categories)):
        if not 0 <= value <= 1 or (value and days is None):
            raise ValueError(f"`{name}` must be in [0, 1], and 0 without `days`. Received: {name}={value}, days={days}")
    if drift and not category_taste:
        raise ValueError("`drift` turns each shelf's taste by itself: it needs `category_taste`")
    begin = time.monotonic()
    out = pathlib.Path(out)
    out.mkdir(parents=True, exist_ok=True)
    for unfinished in out.glob(".impressions-*.unfinished"):
        unfinished.unlink()

    taste = shop.make_taste(seed, category_taste, inheritance)
    catalogue = shop.make_catalogue(taste, rows, seed)
    requests, users = traffic.make_requests(taste, rows, seed, user_taste, days or traffic.DAYS)
    if new_categories:
        requests = without_the_unopened(requests, taste, days, new_categories, seed)
    names = _Names.of(taste, catalogue)
    blocks = _blocks(requests) if days is None else _days(requests, days)
    carried = _Clicks.none()
    totals = _Totals(catalogue)
    meter = Meter("rows", int(requests.shown.sum()), doing="simulating the log,")
    unfinished = []
    for number, block in enumerate(blocks):
        if number and drift:
            taste, catalogue = next_day(taste, catalogue, drift, np.random.default_rng([seed, 6, number]))
        rng = np.random.default_rng([seed, 3, rows, number])
        shown = traffic.show(taste, catalogue, users, requests, block, rng)
        table, carried = _table(names, catalogue, requests, block, shown, carried)
        name = f"{number:05d}" if days is None else f"{traffic.START_DATE + datetime.timedelta(number):%Y%m%d}"
        path = out / f".impressions-{name}.{format}.unfinished"
        _write(table, path, format)
        unfinished.append(path)
        totals.add(shown)
        meter.reach(totals.rows)
    for path in out.iterdir():
        if re.fullmatch(r"impressions-(\d{5}|\d{8})\.(csv|parquet)", path.name):
            path.unlink()
    for path in unfinished:
        path.rename(out / path.name.removeprefix(".").removesuffix(".unfinished"))
    return {
        **totals.figures(),
        "requests": len(requests.shown),
        "users": len(np.unique(requests.user)),
        "top_categories": len(taste.tops),
        "sub_categories": len(taste.subs),
        "files": len(unfinished),
        "bytes": sum(path.stat().st_size for path in out.glob(f"impressions-*.{format}")),
        "seconds": round(time.monotonic() - begin, 2),
    }


@dataclasses.dataclass(frozen=True)
class _Names:
    """The strings of the log, by index."""

    top_of: pa.Array
    sub: pa.Array
    item: pa.Array
    brand: pa.Array
    shop: pa.Array

    @classmethod
    def of(cls, taste: shop.Taste, catalogue: shop.Catalogue) -> "_Names":
        tops = pa.array(taste.tops)
        return cls(
            top_of=tops.take(pa.array(taste.top_of)),
            sub=pa.array(taste.subs),
            item=_numbered("i", np.arange(len(catalogue.sub))),
            brand=_numbered("brand-", np.arange(len(taste.tier))),
            shop=_numbered("shop-", np.arange(catalogue.shop.max() + 1)),
        )


@dataclasses.dataclass(frozen=True)
class _Clicks:
    """Clicks of users: [C] each, sorted by user, then time, then position."""

    user: np.ndarray
    timestamp: np.ndarray
    item: np.ndarray

    @classmethod
    def none(cls) -> "_Clicks":
        return cls(*(np.zeros(0, np.int64),) * 3)

    def then(self, user: np.ndarray, timestamp: np.ndarray, item: np.ndarray) -> "_Clicks":
        """These clicks and later ones, sorted."""
        user, timestamp, item = (
            np.concatenate(pair)
            for pair in ((self.user, user), (self.timestamp, timestamp), (self.item, item))
        )  # fmt: skip
        order = np.lexsort((timestamp, user))  # stable: clicks of one request keep their order
        return _Clicks(user[order], timestamp[order], item[order])

    def last(self, count: int) -> "_Clicks":
        """The last ``count`` clicks of each user."""
        behind = np.searchsorted(self.user, self.user, side="right") - np.arange(len(self.user))
        kept = behind <= count
        return _Clicks(self.user[kept], self.timestamp[kept], self.item[kept])

    def before(self, user: np.ndarray, timestamp: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """The last ``count`` clicked items of each (user, timestamp) strictly before it.

        Returns:
          offsets [n + 1] and items [offsets[n]]: the ragged lists, oldest click first.
        """
        span = traffic.DAYS * 86_400
        key = self.user * span + (self.timestamp - traffic.START)
        end = np.searchsorted(key, user * span + (timestamp - traffic.START))
        start = np.maximum(np.searchsorted(key, user * span), end - count)
        offsets = np.concatenate([[0], np.cumsum(end - start)])
        place = np.arange(offsets[-1]) + np.repeat(start - offsets[:-1], end - start)
        return offsets, self.item[place]


class _Totals:
    """Sums over the blocks."""

    def __init__(self, catalogue: shop.Catalogue):
        self.rows = self.clicks = self.purchases = 0
        self._catalogue = catalogue
        self._seen = np.zeros(len(catalogue.sub), bool)
        self._auc = {"true_click_probability": 0.0, "known_click_probability": 0.0, "sales": 0.0, "position": 0.0}
        self._judged = 0

    def add(self, shown: traffic.Impressions) -> None:
        self.rows += int(shown.valid.sum())
        self.clicks += int(shown.click.sum())
        self.purchases += int(shown.purchase.sum())
        self._seen[shown.item[shown.valid]] = True
        scores = {
            "true_click_probability": shown.click_probability,
            "known_click_probability": shown.known_probability,
            "sales": self._catalogue.sales[shown.item],
            "position": np.broadcast_to(-np.arange(shown.valid.shape[1]), shown.valid.shape),
        }
        for name, score in scores.items():
            aucs = session_aucs(score, shown.click, shown.valid)
            self._auc[name] += float(aucs.sum())
        self._judged += len(aucs)

    def figures(self) -> dict:
        return {
            "rows": self.rows,
            "items": int(self._seen.sum()),
            "clicks": self.clicks,
            "purchases": self.purchases,
            "click_rate": self.clicks / self.rows,
            "purchase_rate": self.purchases / self.rows,
            "session_auc": {name: total / max(self._judged, 1) for name, total in self._auc.items()},
        }


def session_aucs(score: np.ndarray, click: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """AUC of each request that has a click and a non-click; equal scores count half.

    Args:
      score, click, valid: [R, n] the items' scores, whether they were clicked, and whether there is an item.

    Returns:
      [R'] float64, R' <= R.
    """
    request, place = np.nonzero(click)
    other = (valid & ~click)[request]
    mine, theirs = score[request, place][:, None], score[request]
    won = ((mine > theirs) + 0.5 * (mine == theirs)) * other
    won = np.bincount(request, won.sum(axis=1), len(score))
    pairs = np.bincount(request, other.sum(axis=1), len(score))
    return won[pairs > 0] / pairs[pairs > 0]


def _blocks(requests: traffic.Requests) -> list[slice]:
    """Cuts the requests into files: after each million rows, at the next change of the timestamp."""
    ends = np.cumsum(requests.shown)
    cuts = np.searchsorted(ends, np.arange(ROWS_A_FILE, ends[-1], ROWS_A_FILE)) + 1
    cuts = [np.searchsorted(requests.timestamp, requests.timestamp[cut - 1], side="right") for cut in cuts]
    cuts = np.unique([0, *cuts, len(ends)])
    return [slice(int(start), int(end)) for start, end in itertools.pairwise(cuts)]


def _days(requests: traffic.Requests, days: int) -> list[slice]:
    """Cuts the requests into days."""
    cuts = np.searchsorted(requests.timestamp, traffic.START + traffic.DAY * np.arange(days + 1))
    return [slice(int(start), int(end)) for start, end in itertools.pairwise(cuts)]


def _table(
    names: _Names,
    catalogue: shop.Catalogue,
    requests: traffic.Requests,
    block: slice,
    shown: traffic.Impressions,
    carried: _Clicks,
) -> tuple[pa.Table, _Clicks]:
    """The rows of a block, and the clicks that the next block's histories need."""
    user, timestamp, sub = requests.user[block], requests.timestamp[block], requests.sub[block]
    request, place = np.nonzero(shown.valid)
    item = shown.item[shown.valid]
    click = shown.click[shown.valid]
    clicks = carried.then(user[request[click]], timestamp[request[click]], item[click])
    offsets, past = clicks.before(user, timestamp, HISTORY_LENGTH)
    rows, items, subs = pa.array(request), pa.array(item), pa.array(sub)

    def joined(values: pa.Array) -> pa.Array:
        return pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values), " ")

    by_request = {
        "request_id": _numbered("r", np.arange(block.start, block.stop)),
        "user_id": _numbered("u", user),
        "timestamp": pa.array(timestamp),
        "top_category": names.top_of.take(subs),
        "sub_category": names.sub.take(subs),
        "history_item": joined(names.item.take(pa.array(past))),
        "history_brand": joined(names.brand.take(pa.array(catalogue.brand[past]))),
    }
    age_days = catalogue.age_days[item] + (timestamp[request] - traffic.START) / 86_400
    by_item = {
        "item_id": names.item.take(items),
        "brand": names.brand.take(pa.array(catalogue.brand[item])),
        "shop": names.shop.take(pa.array(catalogue.shop[item])),
        "price": pa.array(catalogue.price[item], from_pandas=True),  # NaN becomes null
        "sales": pa.array(catalogue.sales[item]),
        "rating": pa.array(catalogue.rating[item], from_pandas=True),
        "age_days": pa.array(np.round(age_days, 1)),
        "position": pa.array(place + 1),
        "click": pa.array(click.astype(np.int64)),
        "purchase": pa.array(shown.purchase[shown.valid].astype(np.int64)),
        "true_click_probability": pa.array(np.round(shown.click_probability[shown.valid], 6)),
    }
    columns = {name: values.take(rows) for name, values in by_request.items()} | by_item
    return pa.table(columns), clicks.last(HISTORY_LENGTH)


def _numbered(prefix: str, numbers: np.ndarray) -> pa.Array:
    return pc.binary_join_element_wise(prefix, pc.cast(pa.array(numbers), pa.string()), "")


def _write(table: pa.Table, path: pathlib.Path, format: str) -> None:
    if format == "parquet":
        pa.parquet.write_table(table, path)
        return
    # As most logs are: no name here needs quotes, and pyarrow's own writer puts all of them in quotes.
    # A missing number is an empty field.
    columns = [pc.fill_null(pc.cast(column, pa.string()), "") for column in table.columns]
    with open(path, "wb") as file:
        file.write(",".join(table.column_names).encode() + b"\n")
        for start in range(0, len(table), _ROWS_A_WRITE):
            lines = pc.binary_join_element_wise(*(column.slice(start, _ROWS_A_WRITE) for column in columns), ",")
            file.write(b"".join(_with_line_ends(chunk) for chunk in lines.chunks))


def _with_line_ends(lines: pa.Array) -> bytes:
    return pc.binary_join_element_wise(lines, "", "\n").buffers()[2].to_pybytes() if len(lines) else b""
