"""JSON files that hold the SHA-256 of their own content: one changed digit is an error that names the file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from headstart.core.contracts import Value
from headstart.core.errors import CheckpointError
from headstart.core.files import write_whole

HASH = "content_sha256"


def with_hash(values: Mapping[str, Value]) -> dict[str, Value]:
    """Return values as JSON gives them back, and their hash.

    >>> with_hash({"seeds": (0, 1)})["seeds"]
    [0, 1]
    """
    text = json.dumps(values)
    return {**json.loads(text), HASH: _hash(_tokens(text))}


def write(path: Path, values: Mapping[str, Value]) -> None:
    """Write values with their hash, whole or not at all.

    Raises:
        DiskError: the file cannot be written.
    """
    write_whole(path, json.dumps(with_hash(values), indent=1) + "\n")


def read(path: Path, remedy: str, *, unhashed: int = -1) -> dict[str, Value]:
    """Read what :func:`write` wrote, without the hash.

    Args:
        remedy: what to do about a file that is damaged, as the end of a sentence.
        unhashed: the last 'format' that was written without a hash, 0 for files without that key; -1 for none.

    Raises:
        CheckpointError: the file is missing, cannot be read, or is not what was written.
    """
    try:
        content = path.read_bytes()
        values, tokens = json.loads(content), _tokens(content)
    except OSError as error:
        raise CheckpointError(f"'{path}' cannot be read ({error.strerror}); {remedy}.") from error
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"'{path}' is damaged (it is no JSON); {remedy}.") from error
    if not isinstance(values, dict):
        raise CheckpointError(f"'{path}' is damaged (it is no JSON object); {remedy}.")
    if HASH not in values and values.get("format", 0) in range(unhashed + 1):
        return values
    if values.pop(HASH, "") != _hash({name: value for name, value in tokens.items() if name != HASH}):
        raise CheckpointError(f"'{path}' is damaged (its content does not match its SHA-256); {remedy}.")
    return values


def _tokens(content: str | bytes) -> Value:
    """Read JSON with each fraction as it is written: of its 17 digits the last may change and its value may not."""
    return json.loads(content, parse_float=lambda digits: ["fraction", digits])


def _hash(tokens: Mapping[str, Value]) -> str:
    """Hash the content of JSON, whatever the order of its keys and the space between them."""
    return hashlib.sha256(json.dumps(tokens, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
