"""The metrics of models/metrics in plain Python, straight from their definitions."""

import itertools
import math


def requests_of(y_true, y_pred):
    """Padded lists as lists of (grade, score)."""
    return [
        [(int(grade), float(score)) for grade, score in zip(grades, scores, strict=True) if grade >= 0]
        for grades, scores in zip(y_true, y_pred, strict=True)
    ]


def mean(values):
    values = list(values)
    return sum(values) / len(values) if values else math.nan


def pair_share(items, won):
    positives = [score for grade, score in items if grade > 0]
    negatives = [score for grade, score in items if grade == 0]
    return mean(won(p, n) for p in positives for n in negatives)


def pair_shares(requests, won):
    return [share for request in requests if not math.isnan(share := pair_share(request, won))]


def above(positive, negative):
    return (positive > negative) + 0.5 * (positive == negative)


def session_auc(requests):
    return mean(pair_shares(requests, above))


def ties(requests):
    return mean(pair_shares(requests, lambda p, n: p == n))


def judged_requests(requests):
    return len(pair_shares(requests, lambda p, n: 0))


def orders(request):
    """Every order of a request's items by falling score, ties in all ways."""
    groups = [[grade for grade, s in request if s == score] for score in sorted({s for _, s in request}, reverse=True)]
    for parts in itertools.product(*(itertools.permutations(group) for group in groups)):
        yield [grade for part in parts for grade in part]


def ndcg(requests, topn=10, gains=None):
    def dcg(grades):
        gain = [2.0**grade - 1.0 if gains is None else gains[grade] for grade in grades]
        return sum(g / math.log2(place + 2) for place, g in enumerate(gain[:topn]))

    return mean(
        mean(dcg(order) for order in orders(request)) / best
        for request in requests
        if (best := max(dcg(order) for order in itertools.permutations([grade for grade, _ in request]))) > 0
    )


def mrr(requests):
    return mean(
        mean(1 / (1 + next(place for place, grade in enumerate(order) if grade > 0)) for order in orders(request))
        for request in requests
        if any(grade > 0 for grade, _ in request)
    )


def auc(requests):
    return pair_share([item for request in requests for item in request], above)


def log_loss(requests):
    return mean(-math.log(p if grade > 0 else 1 - p) for request in requests for grade, p in request)


def calibration(requests):
    items = [item for request in requests for item in request]
    clicks = sum(grade > 0 for grade, _ in items)
    return sum(score for _, score in items) / clicks if clicks else math.nan
