"""Weights saved as a pickle: converted once to safetensors, by another process, and cached."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from headstart.checkpoints import _cache
from headstart.core.errors import CheckpointError
from headstart.core.files import system_error, writing
from headstart.core.hashing import file_sha256

SCRIPT = Path(__file__).with_name("_unpickle.py")
VERSION = 2  # of the script's output
# Time limit of a conversion in seconds: a constant, since loading torch takes a few, and one for every so many bytes.
SECONDS, BYTES_A_SECOND = 60, 10_000_000
LONGEST_REASON = 200


def converted(files: Sequence[Path]) -> tuple[Path, ...]:
    """Return the safetensors files made from pickled ones (``pytorch_model.bin``, or its shards).

    The pickles are never read by this process: `_unpickle` reads them with torch's loader for plain tensors, in a
        process with
    limited memory and time. The same content is converted once.

    Raises:
        CheckpointError: a file contains anything but plain tensors, is damaged, or exceeds the limits.
        DiskError: the cache cannot be written.
    """
    hashes = "".join(file_sha256(file) for file in files)
    name = hashlib.sha256(f"{VERSION}{hashes}".encode()).hexdigest()[:32]
    title = files[0] if len(files) == 1 else f"{files[0]} and {len(files) - 1} more"
    folder = _cache.made_once(
        f"converted/{name}",
        lambda fresh: _convert(files, fresh),
        f"{title}: plain tensors, read in a separate process and converted once to safetensors",
    )
    return tuple(sorted(folder.glob("*.safetensors")))


def _convert(files: Sequence[Path], folder: Path) -> None:
    seconds = SECONDS + sum(file.stat().st_size for file in files) // BYTES_A_SECOND
    # -P: modules in the script's folder do not shadow installed ones.
    command = [sys.executable, "-P", str(SCRIPT), str(folder), str(seconds), *(str(file.absolute()) for file in files)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, check=False, env=environment
        )
    except subprocess.TimeoutExpired:
        reason = f"reading it took longer than {seconds} seconds"
    else:
        if done.returncode == 0:
            return
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        reason = lines[-1] if lines and done.returncode > 0 else f"reading it ended with exit code {done.returncode}"
    if code := system_error(reason):
        with writing(folder, sum(file.stat().st_size for file in files), instead=_cache.INSTEAD):
            raise OSError(code, os.strerror(code))
    reason = "".join(letter if letter.isprintable() else "?" for letter in reason[:LONGEST_REASON])
    raise CheckpointError(
        f"{files[0]} cannot be read as plain tensors ({reason}): take the model's safetensors, or save it again."
    )
