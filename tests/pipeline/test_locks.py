import os
import signal
import subprocess
import sys
import threading

import pytest

from pipeline.run_folder.locks import Busy, alone


def test_another_process_is_refused_and_told_which_one_is_at_work(tmp_path):
    with (
        alone(tmp_path / "locks" / "run", "runs/demo"),
        pytest.raises(Busy, match=rf"^runs/demo: the process {os.getpid()} is at work there already"),
        alone(tmp_path / "locks" / "run", "runs/demo"),
    ):
        pass
    with alone(tmp_path / "locks" / "run", "runs/demo"):
        pass


def test_those_that_share_keep_out_the_one_that_does_not_and_the_other_way_round(tmp_path):
    lock = tmp_path / "lock"
    with alone(lock, "here", shared=True), alone(lock, "here", shared=True), pytest.raises(Busy), alone(lock, "here"):
        pass
    with alone(lock, "here"), pytest.raises(Busy), alone(lock, "here", shared=True):
        pass


def test_one_that_waits_gets_the_lock_of_a_process_that_is_killed(tmp_path):
    program = f"""
import pathlib, time
from pipeline.run_folder.locks import alone
with alone(pathlib.Path({str(tmp_path / "Trainer")!r}), "Trainer"):
    print("held", flush=True)
    time.sleep(600)
"""
    entered = threading.Event()

    def retry():
        with alone(tmp_path / "Trainer", "Trainer", wait=True):
            entered.set()

    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()
        assert (tmp_path / "Trainer").read_text() == str(holder.pid)
        second = threading.Thread(target=retry)
        second.start()
        with alone(tmp_path / "Pusher", "Pusher", wait=True):
            assert not entered.wait(0.2)
        holder.send_signal(signal.SIGKILL)
    assert entered.wait(10)
    second.join()
