import mmap
import sys

import pytest

from headstart.core import memory

linux = pytest.mark.skipif(sys.platform != "linux", reason="pages of files are distinguished only there")


@linux
def test_pages_of_files_are_not_counted(tmp_path):
    path = tmp_path / "states"
    path.write_bytes(bytes(40_000_000))
    before = memory.resident()
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert sum(mapped[place] for place in range(0, len(mapped), 4096)) == 0
        assert memory.resident() - before < 20_000_000
    block = bytearray(b"1" * 40_000_000)
    assert memory.resident() - before > len(block) / 2


@linux
def test_what_was_freed_goes_back():
    blocks = [bytearray(50_000) for _ in range(1000)]
    last = bytearray(50_000)  # which stays above them
    held = memory.resident()
    del blocks
    memory.give_back()
    assert held - memory.resident() > 30_000_000
    assert len(last) == 50_000
