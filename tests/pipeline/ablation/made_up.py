"""Made-up scores of members, and what is compared of them."""

import numpy as np

from components.split_scorer.request_scores import RequestScores
from models.inputs.hierarchy import build_hierarchy
from pipeline.ablation.compare import compare
from pipeline.ablation.members import MemberScores, category_paths
from pipeline.ablation.report.gate_maps import gate_maps

GAINS = (0.0, 1.0, 5.0)
PATHS = {("phones", f"p{i}"): 60 - i for i in range(4)} | {("美妆|$", f"m{i}"): 40 - i for i in range(3)}
HIERARCHY = build_hierarchy(PATHS, ["top", "leaf"])
TRAINING = {
    "parameters": 10,
    "seconds": 2.0,
    "items_per_second": 100.0,
    "resumed_from_step": 0,
    "steps": 50,
    "best_step": 40,
    "session_auc": 0.7,
}


def scores(seed=0, requests=120, skill=0.0, gates=True) -> MemberScores:
    """Scores of a model that is the better the more ``skill``; the requests do not depend on the seed."""
    log, rng = np.random.default_rng(7), np.random.default_rng(seed)
    lengths = log.integers(1, 9, requests)
    grades = log.choice(3, lengths.sum(), p=[0.7, 0.2, 0.1])
    leaf = log.integers(0, 8, requests)
    noise = rng.integers(0, 6, len(grades)) / 10  # with ties
    by_request = RequestScores(
        requests=np.arange(requests) * 7919,
        lengths=lengths,
        items=np.arange(len(grades)),
        grades=grades,
        positions=None,
        scores=(0.05 + 0.8 * (noise + skill * (grades > 0)) / (0.6 + skill)).astype(np.float32),
        baseline=None,
        levels=("top", "leaf"),
        names=np.full((requests, 2), b"", object),
        categories=np.stack([np.append(0, category_paths(HIERARCHY)[:, 0])[leaf], leaf], axis=1),
        category_requests=np.append(0, HIERARCHY.levels[-1].counts)[leaf],
        history=log.integers(0, 13, requests),
    )
    return MemberScores(
        by_request,
        gates=rng.dirichlet(np.ones(4), 7).astype(np.float32) if gates else None,
    )


def made_up(members: dict[str, dict[int, MemberScores]] | None = None, oracle_session_auc=None, **changes) -> dict:
    """The content of `ablation.json`; of three variants, one of them good and with an interrupted training."""
    three = members or {
        "moe": {1: scores(1), 2: scores(2)},
        "dnn": {1: scores(3, gates=False), 2: scores(4, gates=False)},
        "good": {1: scores(5, skill=0.9), 2: scores(6, skill=0.9)},
    }
    trainings = {
        label: {seed: TRAINING | {"seconds": 2.0 * place} for place, seed in enumerate(seeds, start=1)}
        for label, seeds in three.items()
    }
    if not members:
        trainings["good"][2] |= {"seconds": 0.1, "resumed_from_step": 9}
    compared = compare(three, trainings, HIERARCHY, GAINS, oracle_session_auc=oracle_session_auc)
    model = {"variant": "moe", "experts": 4, "top_k": 2}
    settings = {label: label for label in three} | ({} if members else {"good": "good=moe;top_k=2"})
    return {
        "name": "shop",
        "label": "click",
        "simulated": oracle_session_auc is not None,
        "marks": ["The log is simulated."] if oracle_session_auc is not None else [],
        "seeds": list(next(iter(three.values()))),
        "overrides": [],
        "settings": settings,
        "configs": {
            label: {"model": model | {"top_k": place}, "train": {"epochs": 1}} for place, label in enumerate(three)
        },
        **compared,
        "trainings": trainings,
        "failed": {},
        **changes,
    }


def maps() -> dict[str, list[dict]]:
    """Of two of the variants."""
    return gate_maps({"moe": scores(1).gates, "dnn": None, "good": scores(5).gates}, HIERARCHY)
