"""One line per step in ``metrics.jsonl``."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import TextIOWrapper
from pathlib import Path
from typing import ClassVar

from headstart.core import sealed
from headstart.core.files import write_whole, writing

FILE = "metrics.jsonl"


@dataclass
class Log:
    """An open ``metrics.jsonl``, which is at `path`."""

    file: TextIOWrapper
    path: Path

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Add the line of one step."""
        with writing(self.path):
            self.file.write(json.dumps({"step": step, **values}) + "\n")

    def flush(self) -> None:
        """Write every line so far to disk, so that a kill cannot lose it."""
        with writing(self.path):
            self.file.flush()
            os.fsync(self.file.fileno())

    def finish(self) -> None:
        """Close the file."""
        with writing(self.path):
            self.file.close()


@dataclass(frozen=True)
class Jsonl:
    """Write one line per step to metrics.jsonl in the run's folder."""

    name: str = field(default=FILE)

    requires: ClassVar[str] = ""

    def obstacle(self) -> str:
        """Return '': nothing is required."""
        return ""

    def start(self, folder: Path, step: int) -> Log:
        """Open the file, and remove lines after `step` that a killed training may have left."""
        path = folder / self.name
        lines = []
        if path.is_file():
            for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
                try:
                    if json.loads(line)["step"] <= step:
                        lines.append(line + "\n")
                except (ValueError, TypeError, KeyError, RecursionError):
                    break  # the kill truncated this line, or the file is damaged from here on
        elif path.exists():
            sealed.discard(path)
        write_whole(path, "".join(lines))
        with writing(path):
            return Log(path.open("a", encoding="utf-8"), path)


PLUGIN = Jsonl
