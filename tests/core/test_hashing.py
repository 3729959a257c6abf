import hashlib
import os

import numpy as np
import pytest

from headstart.core import hashing


def test_a_file_is_read_once_until_it_changes(tmp_path, monkeypatch):
    path = tmp_path / "weights"
    path.write_bytes(b"one")
    os.utime(path, ns=(1, 1))  # written long ago
    read = []
    digest = hashlib.file_digest
    monkeypatch.setattr(hashing.hashlib, "file_digest", lambda file, kind: read.append(1) or digest(file, kind))
    assert hashing.file_sha256(path) == hashing.file_sha256(path) == hashlib.sha256(b"one").hexdigest()
    os.link(path, tmp_path / "link")
    path.rename(tmp_path / "renamed")
    hashing.file_sha256(tmp_path / "link")
    assert len(read) <= 2  # a link changes the time of the inode
    (tmp_path / "renamed").write_bytes(b"two")
    assert hashing.file_sha256(tmp_path / "renamed") == hashlib.sha256(b"two").hexdigest()


def test_a_file_that_was_written_a_moment_ago_is_read_again(tmp_path):
    """A file system's clock is coarse: two writes within a step of it look alike."""
    path = tmp_path / "weights"
    for content in (b"one", b"two", b"six"):
        path.write_bytes(content)
        assert hashing.file_sha256(path) == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("parallel", [0, 1 << 20])
def test_arrays_are_hashed_in_their_order(parallel, rng, monkeypatch):
    monkeypatch.setattr(hashing, "PARALLEL_BYTES", parallel)
    arrays = [rng.random(100), np.zeros(0), rng.integers(0, 9, (3, 4))]
    slowly = hashlib.sha256(b"".join(hashlib.sha256(array.tobytes()).digest() for array in arrays)).hexdigest()
    assert hashing.arrays_sha256(arrays) == slowly != hashing.arrays_sha256(arrays[::-1])
