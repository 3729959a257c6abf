"""Read zstd archives whole or not at all: all frames, and an error where the last one is cut short."""

from __future__ import annotations

import importlib
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from headstart.core.errors import UsageError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

STEP = 4096  # packed bytes unpacked at once: at most 128 MB, whatever they hold


def package(path: Path) -> Any:
    """Import the standard library's zstd (Python 3.14) or the package of that name.

    Raises:
        UsageError: neither is there.
    """
    for name in ("compression.zstd", "zstandard"):
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise UsageError(f"{path.name} is a zstd archive, which needs a package: pip install zstandard")


def open_zstd(path: Path) -> BinaryIO:
    """Open an archive for reading.

    Raises:
        UsageError: nothing is installed that reads it. Reading raises EOFError where the archive is cut short.
    """
    module = package(path)
    if module.__name__ == "compression.zstd":
        return cast(BinaryIO, module.open(path, "rb"))
    return io.BufferedReader(_Frames(path, module))


class _Frames(io.RawIOBase):
    """All frames of an archive, one after the other; the package's own reader ends after the first, and when cut."""

    def __init__(self, path: Path, zstandard: Any) -> None:
        self._file = path.open("rb")
        self._zstandard = zstandard
        self._frame: Any = None
        self._packed = b""
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        while not self._ready:
            self._packed = self._packed or self._file.read(STEP)
            if not self._packed:
                if self._frame is not None:
                    raise EOFError("it ends inside a frame")
                return 0
            self._frame = self._frame or self._zstandard.ZstdDecompressor().decompressobj()
            self._ready = memoryview(self._frame.decompress(self._packed))
            self._packed = b""
            if self._frame.eof:
                self._packed, self._frame = self._frame.unused_data, None
        target = memoryview(buffer)
        size = min(len(target), len(self._ready))
        target[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size

    def close(self) -> None:
        self._file.close()
        super().close()
