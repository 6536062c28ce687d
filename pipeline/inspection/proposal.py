"""From what a log's columns hold to a schema and a configuration that read it."""

from pipeline.inspection import words
from pipeline.inspection.bounds import propose_bounds
from pipeline.inspection.categories import find_categories
from pipeline.inspection.columns import Column
from pipeline.inspection.draft import Draft, Proposal
from pipeline.inspection.features import find_histories, find_others
from pipeline.inspection.negatives import propose_negatives
from pipeline.inspection.requests import cut_between_times, find_request, find_split, find_timestamp
from pipeline.inspection.roles import find_item, find_label, find_layout, find_user
from pipeline.inspection.sample import Sample
from pipeline.inspection.tables import join_tables


def propose(samples: list[Sample]) -> Proposal:
    """Guesses roles from names and values.

    Args:
      samples: of the log's files and of tables beside it, see `read_samples`.

    Raises:
      Unreadable: if something is missing without which there is no request, as items.
    """
    log = max(samples, key=_looks_like_a_log)
    draft = Draft(log, [sample for sample in samples if sample is not log])
    find_layout(draft)
    find_item(draft)
    find_label(draft)
    find_user(draft)
    find_timestamp(draft)
    find_split(draft)
    find_request(draft)
    cut_between_times(draft)
    join_tables(draft)
    find_categories(draft)
    find_histories(draft)
    find_others(draft)
    propose_negatives(draft)
    propose_bounds(draft)
    order = {"request": 0, "item": 1}
    draft.proposal.features.sort(key=lambda feature: order[feature.scope])
    return draft.proposal


def _looks_like_a_log(sample: Sample) -> tuple[bool, int]:
    columns = [Column(name, sample.rows[name]) for name in sample.rows]
    has_label = any(column.is_named(words.LABEL) or column.is_named(words.EVENT) for column in columns)
    has_item = any(column.is_named(words.ITEM) for column in columns)
    has_user_and_time = all(any(column.is_named(name) for column in columns) for name in (words.USER, words.TIME))
    return has_item and (has_label or has_user_and_time), sum(file.stat().st_size for file in sample.files)
