import numpy as np
import pytest
import tensorflow as tf

from models.inputs.reading import count_requests, read_requests


def _ids(dataset) -> list[list[int]]:
    return [batch["sub_category_id"].numpy().tolist() for batch in dataset]


def test_requests_come_in_an_order_of_seed_and_skip(small_log):
    def read(**options):
        return _ids(read_requests(small_log.train_files, small_log.feature_spec, 10, **options))

    whole = read(shuffle_requests=40, seed=3, repeat=2)
    assert len(whole) == 40
    assert whole == read(shuffle_requests=40, seed=3, repeat=2)
    assert whole != read(shuffle_requests=40, seed=4, repeat=2)
    assert whole[7:] == read(shuffle_requests=40, seed=3, repeat=2, skip_batches=7)
    assert whole[:20] != whole[20:]


SPEC = {"request": tf.io.FixedLenFeature([], tf.int64), "click": tf.io.RaggedFeature(tf.int64)}


def _write(path, lengths) -> list[str]:
    with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
        for request, length in enumerate(lengths):
            example = tf.train.Example()
            example.features.feature["request"].int64_list.value.append(request)
            example.features.feature["click"].int64_list.value.extend([0] * length)
            writer.write(example.SerializeToString())
    return [str(path)]


@pytest.mark.parametrize(
    "lengths",
    [
        [5] * 40,
        np.random.default_rng(1).geometric(0.1, 77).tolist(),
        [500, *[1] * 30, 500, *[1] * 31, 500],
        [*[0] * 16, *[3] * 17],
        [7],
    ],
)
def test_batches_are_dealt_about_the_same_number_of_items(tmp_path, lengths):
    files, of_eight = _write(tmp_path / "requests.gz", lengths), 8 * 4

    def read(**options):
        return list(read_requests(files, SPEC, 4, deal_by="click", **options))

    batches = read()
    assert [request for batch in batches for request in batch["request"].numpy()] == list(range(len(lengths)))
    starts = range(0, len(lengths), of_eight)
    sizes = [-(-len(lengths[start : start + of_eight]) // 4) for start in starts]  # batches of each hand
    assert len(batches) == sum(sizes)
    assert all(len(batch["request"]) for batch in batches)
    first = 0
    for start, size in zip(starts, sizes, strict=True):
        hand, of_hand = batches[first : first + size], lengths[start : start + of_eight]
        assert max(len(batch["click"].flat_values) for batch in hand) <= sum(of_hand) / size + max(of_hand)
        first += size
    for skipped in (3, 9):
        rest = [batch["request"].numpy().tolist() for batch in read(skip_batches=skipped)]
        assert rest == [batch["request"].numpy().tolist() for batch in batches[skipped:]]


def test_pieces_of_several_readers_make_up_the_batches_of_one(tmp_path):
    lengths = np.random.default_rng(1).integers(1, 30, 200).tolist()
    files = _write(tmp_path / "requests.gz", lengths)

    def read(**options):
        batches = read_requests(files, SPEC, 8, deal_by="click", shuffle_requests=50, seed=3, skip_batches=3, **options)
        return [(batch["request"].numpy().tolist(), len(batch["click"].flat_values)) for batch in batches]

    whole = read()[:20]  # the last hand is of fewer than eight batches, whose pieces are cut by themselves
    readers = [read(pieces=4, shard=shard) for shard in [(0, 1, 4), (1, 2, 4), (3, 1, 4)]]
    for place, (requests, items) in enumerate(whole):
        first, others, last = readers
        pieces = [first[place], others[2 * place], others[2 * place + 1], last[place]]
        assert [request for piece, _ in pieces for request in piece] == requests
        assert max(count for _, count in pieces) <= items / 4 + 30


def test_requests_are_counted(tmp_path):
    assert count_requests(_write(tmp_path / "requests.gz", [1] * 9)) == 9


def test_no_file_is_an_error(small_log, tmp_path):
    with pytest.raises(ValueError, match="no file of requests matches"):
        read_requests([str(tmp_path / "none-*")], small_log.feature_spec, 8)
