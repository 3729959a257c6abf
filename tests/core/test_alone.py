import subprocess
import sys

import pytest

from headstart.core.alone import alone
from headstart.core.errors import UsageError


def test_a_folder_is_held_by_one_at_a_time(tmp_path):
    with alone(tmp_path / "run"):
        second = pytest.raises(UsageError, match=r"another headstart is at work in .*run: wait for its end, or choose")
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
        with pytest.raises(UsageError, match="another headstart is at work"), alone(tmp_path):
            pass
        holder.kill()
    with alone(tmp_path):
        pass
