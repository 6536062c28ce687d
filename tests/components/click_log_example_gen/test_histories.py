"""Histories built from the log against a plain-Python reference; they never see what comes later."""

import random

import pytest

HEADER = "request_id,user_id,timestamp,top,sub,visits,item_id,brand,price,click\n"


def _random_log(seed):
    rng = random.Random(seed)
    rows = []
    for request in range(60):
        user, start = rng.choice(["u1", "u2", "u3", ""]), rng.randrange(40)
        for item in rng.sample(range(30), rng.randint(1, 4)):
            rows.append((f"q{request}", user, start + rng.randrange(4), f"i{item}", rng.choice([0, 0, 1, 2])))
    rng.shuffle(rows)
    return rows


def _reference(rows, length):
    """{request: its user's positive items of earlier rows}, one row after the other."""
    histories = {}
    for request in {row[0] for row in rows}:
        mine = [row for row in rows if row[0] == request]
        now, user = min(row[2] for row in mine), mine[0][1]
        past = [row for row in rows if user and row[1] == user and row[4] > 0 and row[2] < now]
        past.sort(key=lambda row: row[2])  # stable: the log's order among equals
        histories[request] = [row[3] for row in past][-length:]
    return histories


@pytest.mark.parametrize("seed", [1, 2])
def test_history_is_what_came_before(ingest, tmp_path, monkeypatch, seed):
    monkeypatch.setattr("components.click_log_example_gen.executor.PARTITION_BYTES", 600)  # several partitions
    rows = _random_log(seed)
    lines = [f"{q},{user},{time},t,s,,{item},b,1,{click}\n" for q, user, time, item, click in rows]
    for name, part in (("a.csv", lines[:50]), ("b.csv", lines[50:])):
        (tmp_path / "log" / name).write_text(HEADER + "".join(part))
    result = ingest(history={"build": True, "length": 3}, min_items=2)
    expected = _reference(rows, 3)
    assert result.all
    assert {key: request["past"] for key, request in result.all.items()} == {key: expected[key] for key in result.all}
    assert any(request["past"] for request in result.all.values())


def test_a_history_that_is_read_keeps_its_last_values(ingest, tmp_path):
    text = HEADER.replace("visits", "visits,past")
    (tmp_path / "log" / "a.csv").write_text(
        text + "q,u,1,t,s,,a b 0 d,x,b,1,0\nq,u,1,t,s,,a b 0 d,y,b,1,0\n" + "r,u,1,t,s,,,x,b,1,0\nr,u,1,t,s,,,y,b,1,0\n"
    )
    result = ingest(history={"length": 3}, missing={"past": ["0"]})
    assert result.all["q"]["past"] == ["b", "", "d"]
    assert result.all["r"]["past"] == []
