"""Open the files of a model folder from any source: one sentence says what is wrong with them.

Every public loader of a model runs inside :func:`guarded`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from headstart.core.errors import CheckpointError, HeadstartError, visible

# Of a file of settings or of a tokenizer. The largest in use, the tokenizer of XLM-V's 900,000 pieces, is smaller.
MOST_BYTES = 64 * 2**20
LONGEST_REASON = 200


@contextmanager
def guarded(place: str | Path) -> Iterator[None]:
    """Turn any exception from reading a damaged folder into a CheckpointError that names the folder.

    HeadstartErrors pass unchanged.

    Raises:
        CheckpointError: anything else was raised inside.
    """
    try:
        yield
    except HeadstartError:
        raise
    except BaseException as error:
        # A panic in a Rust library is not an Exception, and neither is an interrupt, which must pass.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        description = ": ".join(filter(None, (type(error).__name__, " ".join(str(error).split()))))
        reason = visible(description[:LONGEST_REASON])
        raise CheckpointError(
            f"'{visible(str(place))}' cannot be read as a model ({reason}); copy or fetch the folder again."
        ) from error


@contextmanager
def naming(place: str | Path) -> Iterator[None]:
    """Add the folder that was being opened to an error that names another file, or none.

    Raises:
        CheckpointError: it was raised inside.
    """
    try:
        yield
    except CheckpointError as error:
        if str(place) in str(error):
            raise
        raise CheckpointError(f"{place}: {error}") from error


def present(path: Path) -> bool:
    """Return whether a file exists; one that cannot be read is an error.

    Raises:
        CheckpointError: the path is a folder, a device, or a broken link.
    """
    if path.is_file():
        return True
    if path.exists() or path.is_symlink():
        raise CheckpointError(
            f"'{path}' is no file but a folder, a device or a link that leads nowhere; copy or fetch the model again."
        )
    return False


def read_bytes(path: Path, most: int = MOST_BYTES) -> bytes:
    """Read a file of settings or of a tokenizer.

    Raises:
        CheckpointError: it is larger than any such file.
    """
    if path.stat().st_size > most:
        raise CheckpointError(
            f"{path} is larger than {most // 2**20} MiB, so it is no tokenizer's file and no settings."
        )
    return path.read_bytes()


def read_object(path: Path) -> dict[str, Any]:
    """Read a file with a JSON object.

    Raises:
        CheckpointError: it is not a JSON object.
    """
    return parsed_object(read_bytes(path), path)


def parsed_object(content: bytes, path: Path) -> dict[str, Any]:
    """Parse the bytes of a file with a JSON object; lone surrogates are preserved.

    Raises:
        CheckpointError: it is not a JSON object.
    """
    try:
        value = json.loads(content.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is not readable JSON ({error}); fetch the model again.") from None
    if not isinstance(value, dict):
        raise CheckpointError(f"{path} contains no JSON object; fetch the model again.")
    return value
