"""Which folder a comparison writes to: the results of one data set never replace those of another.

runs/NAME/data.json    which data set the folder belongs to: a hash of the rows, the name of the data, and their number
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from headstart.core import checked
from headstart.core.alone import alone
from headstart.core.contracts import Value
from headstart.core.errors import UsageError
from headstart.core.records import Rows, Splits

FILE = "data.json"
FORMAT = 1  # of FILE; an earlier version wrote none, and no hash
# Output of a comparison; a folder with one of these but without FILE is from an earlier version.
LEFT = ("trials", "models", "best", "result.json")


@contextmanager
def opened(out: Path | None, splits: Splits, name: str, tell: Callable[[str], None]) -> Iterator[Path]:
    """Lock the folder of a comparison, and assign it to this data set.

    Without `out` that is ``runs/NAME``; if it belongs to another data set, ``runs/NAME-`` and the first characters of
    this one's hash, so that each data set always has the same folder.

    Args:
        out: the folder; None for the default.
        splits: the data; the split itself does not matter.
        name: of the data, for messages.
        tell: called with a message if another folder than ``runs/NAME`` is used.

    Raises:
        UsageError: `out` belongs to another data set, or another process uses the folder.
        CheckpointError: the file that names the data set was damaged.
    """
    content = data_sha256(splits)
    rows = len(splits.train) + len(splits.validation) + len(splits.test)
    whose = {"format": FORMAT, "sha256": content, "name": name, "rows": rows}
    usual = Path("runs") / Path(name).stem
    own = usual.with_name(f"{usual.name}-{content[:8]}")
    if out is not None:
        places = [out]
    else:
        places = [own] if _owner(own) == content and _owner(usual) != content else [usual, own]
    for folder in places:
        if _owner(folder) not in ("", content):
            continue
        with alone(folder):
            if _owner(folder) not in ("", content):
                continue  # another process was faster
            checked.write(folder / FILE, whose)
            if folder == own:
                tell(f"'{usual}' holds {_described(usual)}, so this comparison is in '{own}'.")
            yield folder
            return
    raise UsageError(
        f"'{places[-1]}' holds {_described(places[-1])}, whose report and model would be replaced: "
        "name another folder with --out, or delete that one."
    )


def data_sha256(splits: Splits) -> str:
    """Hash the rows of a data set, independently of their order, split and source."""
    parts = (splits.train, splits.validation, splits.test)
    digest = hashlib.sha256()
    for row in sorted(row for part in parts for row in _rows(part)):
        digest.update(row)
    return digest.hexdigest()


def _rows(part: Rows) -> Iterator[bytes]:
    for row in zip(part.inputs, part.targets, strict=True):
        yield hashlib.blake2b(repr(row).encode(), digest_size=16).digest()


def _owner(folder: Path) -> str:
    """Return the hash of the data set that a folder belongs to; '' for none, '?' if it is unknown."""
    if not (folder / FILE).is_file():
        return "?" if any((folder / name).exists() for name in LEFT) else ""
    return str(_whose(folder).get("sha256", "?"))


def _described(folder: Path) -> str:
    """Name the data set of a folder."""
    whose = _whose(folder) if (folder / FILE).is_file() else {}
    if not {"name", "rows"} <= whose.keys():
        return f"a comparison of unknown data (no {FILE}: perhaps an earlier version made it)"
    return f"the comparison of another data set ({whose['name']}, {whose['rows']:,} rows)"


def _whose(folder: Path) -> dict[str, Value]:
    """Read whose folder it is.

    Raises:
        CheckpointError: the file is damaged.
    """
    return checked.read(folder / FILE, "name another folder with --out, or delete that one", unhashed=0)
