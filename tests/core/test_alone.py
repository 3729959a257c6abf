import multiprocessing
import subprocess
import sys

import pytest

from headstart.core.alone import alone, in_turn
from headstart.core.errors import UsageError


def test_a_folder_is_held_by_one_at_a_time(tmp_path):
    with alone(tmp_path / "run"):
        second = pytest.raises(UsageError, match=r"another headstart process is using .*run: wait until")
        with second, alone(tmp_path / "run"):
            pass
        with alone(tmp_path / "other"):
            pass
    with alone(tmp_path / "run"):
        pass


def test_a_killed_process_lets_go(tmp_path):
    code = f"""
from pathlib import Path
from headstart.core.alone import alone
with alone(Path({str(tmp_path)!r})):
    print("held", flush=True)
    input()
"""
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline().strip() == b"held"
        with pytest.raises(UsageError, match="another headstart process is using"), alone(tmp_path):
            pass
        holder.kill()
    with alone(tmp_path):
        pass


def test_a_lock_that_cannot_be_opened_is_named(tmp_path):
    (tmp_path / ".lock").mkdir()
    refused = pytest.raises(UsageError, match=r"\.lock' cannot be locked .*: delete it, or choose another folder")
    with refused, alone(tmp_path):
        pass


def test_a_second_process_waits_for_its_turn(tmp_path, capfd):
    def make(began):
        with in_turn(tmp_path / "made"):
            began.set()
            (tmp_path / "made").write_text("made")

    fork = multiprocessing.get_context("fork")
    with in_turn(tmp_path / "made"):
        began = fork.Event()
        second = fork.Process(target=make, args=(began,))
        second.start()
        assert not began.wait(0.2)
        assert not (tmp_path / "made").exists()
    assert began.wait(5)
    second.join()
    assert (tmp_path / "made").read_text() == "made"
    assert f"another process is making '{tmp_path / 'made'}'; waiting for it." in capfd.readouterr().err
