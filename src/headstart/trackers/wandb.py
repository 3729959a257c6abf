"""Runs on Weights & Biases."""

from __future__ import annotations

import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from headstart.core.errors import UsageError, visible
from headstart.trackers._lines import Line, Lines, run_of

NOT_LOGGED_IN = "run wandb login, or set WANDB_MODE=offline."


@dataclass(frozen=True)
class WeightsAndBiases:
    """Runs in Weights & Biases, or on disk with WANDB_MODE=offline.

    project: project of the runs, unless WANDB_PROJECT is set.
    """

    project: str = "headstart"

    requires: ClassVar[str] = "wandb"

    def obstacle(self) -> str:
        """Return how to log in, if nobody is logged in and runs are sent to the service."""
        if os.environ.get("WANDB_MODE", "online") != "online":
            return ""
        import wandb

        return "" if wandb.login(prompt=False) else NOT_LOGGED_IN

    def start(self, folder: Path, step: int) -> Lines:
        """Open a run, or the one that an earlier start of the same training opened.

        Raises:
            UsageError: not logged in, and not offline.
        """
        import wandb

        note = folder / "wandb.json"
        name = run_of(note) or uuid.uuid4().hex[:12]
        try:
            run = wandb.init(
                project=os.environ.get("WANDB_PROJECT", self.project),
                id=name,
                name=visible(folder.name),
                dir=str(folder),
                resume="allow",
                reinit="create_new",
                settings=wandb.Settings(silent=True, console="off"),
            )
        except wandb.errors.Error as error:
            raise UsageError(f"Weights & Biases did not start ({error}); {NOT_LOGGED_IN}") from error

        def send(lines: Sequence[Line]) -> None:
            for number, values in lines:
                run.log(values, step=number)

        return Lines(note, name, send, run.finish, "wandb")


PLUGIN = WeightsAndBiases
