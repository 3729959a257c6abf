"""Which folder a comparison writes to: one data set's results never replace those of another.

runs/NAME/data.json    whose folder it is: a hash of the rows, the name of the data, and their number
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from headstart.core.alone import alone
from headstart.core.errors import UsageError
from headstart.core.files import write_whole
from headstart.core.records import Rows, Splits

FILE = "data.json"
# What a comparison leaves; a folder that holds one of them without FILE is of an earlier version.
LEFT = ("trials", "models", "best", "result.json")


@contextmanager
def opened(out: Path | None, splits: Splits, name: str, tell: Callable[[str], None]) -> Iterator[Path]:
    """Hold the folder of a comparison alone, and make it that of this data set.

    Without `out` that is ``runs/NAME``; where it holds another data set, ``runs/NAME-`` and the first letters of this
    one's hash, so that each data set gets back to its own.

    Args:
        splits: the data; how they are divided does not matter.
        name: of the data, for a person.
        tell: is told where another folder than ``runs/NAME`` was taken, and why.

    Raises:
        UsageError: `out` holds another data set, or another process works in the folder.
    """
    content = data_sha256(splits)
    rows = len(splits.train) + len(splits.validation) + len(splits.test)
    whose = {"sha256": content, "name": name, "rows": rows}
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
            write_whole(folder / FILE, json.dumps(whose, indent=1))
            if folder == own:
                tell(f"'{usual}' holds {_described(usual)}, so this comparison is in '{own}'.")
            yield folder
            return
    raise UsageError(
        f"'{places[-1]}' holds {_described(places[-1])}, whose report and model would be replaced: "
        "name another folder with --out, or delete that one."
    )


def data_sha256(splits: Splits) -> str:
    """Hash the rows of a data set, whatever their order and division, and wherever they were read from."""
    parts = (splits.train, splits.validation, splits.test)
    digest = hashlib.sha256()
    for row in sorted(row for part in parts for row in _rows(part)):
        digest.update(row)
    return digest.hexdigest()


def _rows(part: Rows) -> Iterator[bytes]:
    for row in zip(part.inputs, part.targets, strict=True):
        yield hashlib.blake2b(repr(row).encode(), digest_size=16).digest()


def _owner(folder: Path) -> str:
    """Return the hash of the data set whose folder it is; '' for nobody's, '?' where that cannot be known."""
    try:
        return str(json.loads((folder / FILE).read_text(encoding="utf-8"))["sha256"])
    except (FileNotFoundError, NotADirectoryError):
        return "?" if any((folder / name).exists() for name in LEFT) else ""
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return "?"


def _described(folder: Path) -> str:
    """Name the data set of a folder."""
    try:
        whose = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return f"the comparison of another data set ({whose['name']}, {whose['rows']:,} rows)"
    except (OSError, ValueError, KeyError, TypeError):
        return f"a comparison of unknown data (no readable {FILE}: perhaps an earlier version made it)"
