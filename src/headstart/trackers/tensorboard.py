"""Event files for TensorBoard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from headstart.trackers._lines import Line, Lines


@dataclass(frozen=True)
class TensorBoard:
    """Event files for TensorBoard: tensorboard --logdir RUN/tracking."""

    requires: ClassVar[str] = "tensorboard"

    def obstacle(self) -> str:
        """Return '': nothing is required."""
        return ""

    def start(self, folder: Path, step: int) -> Lines:
        """Write another event file in the folder of the run; TensorBoard merges them."""
        from torch.utils.tensorboard import SummaryWriter

        writer = SummaryWriter(str(folder))

        def send(lines: Sequence[Line]) -> None:
            for number, values in lines:
                for name, value in values.items():
                    writer.add_scalar(name, value, number)
            writer.flush()

        return Lines(folder / "tensorboard.json", folder.name, send, writer.close, "tensorboard")


PLUGIN = TensorBoard
