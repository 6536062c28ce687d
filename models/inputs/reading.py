"""Transformed requests as tf.data: batches of requests whose item lists are ragged."""

import functools
from collections.abc import Callable

import tensorflow as tf

_FILES_AT_ONCE = 64
_PARSERS, _BATCHES_AHEAD = 4, 8
_BATCHES_DEALT = 8


def read_requests(
    files: list[str],
    feature_spec: dict,
    batch_requests: int,
    *,
    shuffle_requests: int = 1,
    seed: int = 0,
    repeat: int | None = 1,
    skip_batches: int = 0,
    deal_by: str | None = None,
    pieces: int = 1,
    shard: tuple[int, int, int] = (0, 1, 1),
    prepare: Callable[[dict], dict] | None = None,
) -> tf.data.Dataset:
    """Batches of parsed requests from gzipped TFRecord files, those of one pattern after those of the one before.

    The order is a function of the files, ``seed`` and ``shuffle_requests`` alone, so that a run that is
    resumed with ``skip_batches`` sees what the killed one would have seen. Records are batched before
    they are parsed, which is several times as fast as parsing them one by one.

    Args:
      files: glob patterns.
      feature_spec: as `tft.TFTransformOutput.transformed_feature_spec` gives it.
      batch_requests: requests a batch; the last one may be smaller.
      shuffle_requests: size of the shuffle buffer; 1 keeps the order of the files.
      seed: of the shuffle; each repetition has an order of its own.
      repeat: how many times over; None for without end.
      skip_batches: how many batches, of whatever pieces, to leave out at the beginning.
      deal_by: a list feature. Batches then hold about the same number of its values, and ``batch_requests`` requests in
        the mean: the requests of eight batches are dealt anew, in their order, so that each batch has an eighth of
        their items or, where a list is longer than that, at least a request.
      pieces: each batch comes in that many, dealt about the same number of items likewise. Joined, they are the batches
        of one piece, unless a list is longer than a piece. More than 1 need ``deal_by``.
      shard: (first, count, of): of every ``of`` pieces that follow each other only ``count``, from the one numbered
        ``first`` on; the others are not parsed.
      prepare: applied to each batch, say to leave some of its requests out.

    Returns:
      a dataset of dictionaries: [B] tensors for requests, ragged [B, n] tensors for lists.
    """
    if pieces > 1 and deal_by is None:
        raise ValueError(f"`pieces` need a list feature to `deal_by`. Received: pieces={pieces}")
    dataset = _records_of_all(files)
    if shuffle_requests > 1:
        dataset = dataset.shuffle(shuffle_requests, seed=seed, reshuffle_each_iteration=True)
    if repeat != 1:
        dataset = dataset.repeat(repeat)
    if deal_by is None:
        records = dataset.skip(skip_batches * batch_requests).batch(batch_requests)
    else:
        hands, left = divmod(skip_batches, _BATCHES_DEALT)
        records = (
            dataset.skip(hands * _BATCHES_DEALT * batch_requests)
            .batch(_BATCHES_DEALT * batch_requests)
            .flat_map(lambda records: _dealt(records, {deal_by: feature_spec[deal_by]}, batch_requests, pieces))
            .skip(left * pieces)
        )
    first, count, of = shard
    if count < of:
        records = records.enumerate().filter(lambda number, _: (number % of >= first) & (number % of < first + count))
        records = records.map(lambda _, piece: piece)

    def parse(records):
        batch = tf.io.parse_example(records, feature_spec)
        return prepare(batch) if prepare else batch

    batches = records.map(parse, num_parallel_calls=_PARSERS, deterministic=True)
    if prepare:
        # A batch of which nothing was left has a loss of NaN.
        batches = batches.filter(lambda batch: tf.shape(tf.nest.flatten(batch)[0])[0] > 0)
    # Tuned by itself, tf.data held up a step for seconds, one in five times, with nothing to compute meanwhile.
    options = tf.data.Options()
    options.autotune.enabled = False
    return batches.prefetch(_BATCHES_AHEAD).with_options(options)


def read_records(files: list[str], batch_requests: int) -> tf.data.Dataset:
    """Batches of serialized requests, [B] string, in the order in which `read_requests` parses them."""
    return _records_of_all(files).batch(batch_requests).prefetch(2)


def _records_of_all(files: list[str]) -> tf.data.Dataset:
    parts = [_records(sorted(paths)) for pattern in files if (paths := tf.io.gfile.glob(pattern))]
    if not parts:
        raise ValueError(f"no file of requests matches {', '.join(files)}")
    return functools.reduce(tf.data.Dataset.concatenate, parts)


def _records(paths: list[str]) -> tf.data.Dataset:
    """The records of some files, side by side."""
    return tf.data.Dataset.from_tensor_slices(paths).interleave(
        lambda path: tf.data.TFRecordDataset(path, compression_type="GZIP"),
        # Each file is in order of time, and holds some of the users: read side by side, so is the whole. By one thread:
        # it unpacks two million items a second, and handing single records between threads costs more than reading.
        cycle_length=min(len(paths), _FILES_AT_ONCE),
    )


def _dealt(
    records: tf.Tensor, spec: dict[str, tf.io.RaggedFeature], batch_requests: int, pieces: int
) -> tf.data.Dataset:
    """Pieces of batches of about the same number of items, see `read_requests`; ``spec`` is that of one list."""
    [lists] = tf.io.parse_example(records, spec).values()
    starts = tf.cumsum(tf.cast(lists.row_lengths(), tf.int64), exclusive=True)
    requests = tf.size(records)
    batches = tf.minimum(-(-requests // batch_requests) * pieces, requests)
    number = tf.range(batches)
    # In whole numbers: the first piece of a batch begins where the batch of one piece does.
    items = tf.size(lists.flat_values, tf.int64)
    first = tf.searchsorted(starts * tf.cast(batches, tf.int64), tf.cast(number, tf.int64) * items)
    # Every batch gets a request: `first` must grow by 1 at least, and leave one for each batch that is to come.
    before = number[tf.newaxis] <= number[:, tf.newaxis]
    first = tf.reduce_max(tf.where(before, first - number, 0), axis=1)
    first = tf.minimum(first, requests - batches) + number
    return tf.data.Dataset.from_tensor_slices(tf.RaggedTensor.from_row_starts(records, first, validate=False))


def name_hash(names: tf.Tensor) -> tf.Tensor:
    """Names of items or requests as int64: millions of hashes take little memory, and two names rarely share one."""
    return tf.strings.to_hash_bucket_fast(names, 2**63 - 1)


def count_requests(files: list[str]) -> int:
    """How many requests the files hold."""
    paths = [path for pattern in files for path in tf.io.gfile.glob(pattern)]
    dataset = tf.data.TFRecordDataset(paths, compression_type="GZIP").batch(4096)
    return int(dataset.reduce(tf.constant(0, tf.int64), lambda count, batch: count + tf.size(batch, tf.int64)))
