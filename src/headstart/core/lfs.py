"""Files of a Git repository that were not downloaded: Git LFS leaves a few lines of text in their place."""

from __future__ import annotations

from pathlib import Path

from headstart.core.errors import CheckpointError

FIRST_LINE = b"version https://git-lfs.github.com/spec/"


def refuse_pointer(path: Path) -> None:
    """Raise an error if a file is a Git LFS pointer.

    Raises:
        CheckpointError: the file is a Git LFS pointer to the content.
    """
    with path.open("rb") as file:
        start = file.read(len(FIRST_LINE))
    if start == FIRST_LINE:
        raise CheckpointError(f"{path} is only a pointer of Git LFS: run 'git lfs pull' in its folder, or download it.")
