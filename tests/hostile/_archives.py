"""Archives that are damaged, of another kind than their name says, or unpack to far more than they are."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import zstandard
from tests.hostile._common import Case
from tests.hostile._door import Judge, quiet, refused, rows

Check = Callable[[str, Callable[[Path], Path], Judge], Case]
PACK = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zst": zstandard.compress}


def cases(check: Check, table: Callable[[], str]) -> Iterator[Case]:
    """List cases.

    Args:
        check: makes a case of its name, what makes its file, and its judge. table: a sound CSV.
    """
    sound = table().encode()
    for ending, pack in PACK.items():
        packed = pack(sound)
        yield check(f"{ending}", _file(packed, f"a.csv.{ending}"), rows(40))
        yield check(f"{ending} without its ending", _file(packed, "a.csv"), rows(40))
        yield check(f"{ending} cut short", _file(packed[:-12], f"a.csv.{ending}"), refused("damaged archive"))
        broken = packed[: len(packed) // 2] + b"\xff" * 40 + packed[len(packed) // 2 + 40 :]
        yield check(f"{ending} overwritten", _file(broken, f"a.csv.{ending}"), refused("damaged archive"))
        yield check(f"{ending} packed twice", _file(pack(packed), f"a.csv.{ending}"), refused("no table but|binary"))
        yield check(f"{ending} of nothing", _file(pack(b""), f"a.csv.{ending}"), refused("is empty"))
    yield check("gz: a bomb of zeros", _bomb(b"\0"), refused("binary data"))
    yield check("gz: a bomb of one line", _bomb(b"x"), refused("a line of over 256 MB"))
    yield check("gz: a bomb of rows", _bomb(b"good film,a\n"), refused("unpacks to over 200 times"))
    yield check("gz: several members", _file(gzip.compress(sound) + gzip.compress(b"more,a\n"), "a.gz"), quiet)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a.csv", sound)
    yield check("zip", _file(archive.getvalue(), "a.zip"), refused("a zip archive"))
    yield check("zip called csv", _file(archive.getvalue(), "a.csv"), refused("a zip archive"))


def _file(content: bytes, name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return make


def _bomb(unit: bytes) -> Callable[[Path], Path]:
    """Make an archive that unpacks to 2 GB, of members that are all the same."""

    def make(folder: Path) -> Path:
        member = gzip.compress(unit * (2**25 // len(unit)))
        path = folder / "a.csv.gz"
        path.write_bytes((gzip.compress(b"text,label\n") if unit.endswith(b"\n") else b"") + member * 64)
        return path

    return make
