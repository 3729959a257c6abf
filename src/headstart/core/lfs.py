"""Files of a Git repository that were never fetched: Git LFS leaves a few lines of text in their place."""

from __future__ import annotations

from pathlib import Path

from headstart.core.errors import CheckpointError

FIRST_LINE = b"version https://git-lfs.github.com/spec/"


def refuse_pointer(path: Path) -> None:
    """Do nothing where a file holds its own content.

    Raises:
        CheckpointError: it holds Git LFS's pointer to the content.
    """
    with path.open("rb") as file:
        start = file.read(len(FIRST_LINE))
    if start == FIRST_LINE:
        raise CheckpointError(f"{path} is only a pointer of Git LFS: run 'git lfs pull' in its folder, or download it.")
