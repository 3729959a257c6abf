"""Runs in MLflow."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from headstart.core.errors import visible
from headstart.trackers._lines import Line, Lines, run_of

MOST_METRICS = 1000  # in a batch


@dataclass(frozen=True)
class MLflow:
    """Runs in MLflow: in MLFLOW_TRACKING_URI if set, otherwise in files in RUN/tracking/mlruns.

    experiment: name of the experiment of the runs.
    """

    experiment: str = "headstart"

    requires: ClassVar[str] = "mlflow-skinny"

    def obstacle(self) -> str:
        """Return '': a server is contacted when the first run is opened, and files require nothing."""
        return ""

    def start(self, folder: Path, step: int) -> Lines:
        """Open a run, or the one that an earlier start of the same training opened."""
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # otherwise newer versions refuse to write plain files
        from mlflow import MlflowClient
        from mlflow.entities import Metric

        address = os.environ.get("MLFLOW_TRACKING_URI") or (folder.parent / "mlruns").absolute().as_uri()
        client = MlflowClient(tracking_uri=address)
        note = folder / "mlflow.json"
        run = run_of(note)
        if not run:
            known = client.get_experiment_by_name(self.experiment)
            experiment = known.experiment_id if known else client.create_experiment(self.experiment)
            run = client.create_run(experiment, run_name=visible(folder.name)).info.run_id

        def send(lines: Sequence[Line]) -> None:
            now = int(1000 * time.time())
            metrics = [Metric(name, value, now, number) for number, values in lines for name, value in values.items()]
            for begin in range(0, len(metrics), MOST_METRICS):
                client.log_batch(run, metrics=metrics[begin : begin + MOST_METRICS])

        return Lines(note, run, send, lambda: client.set_terminated(run), "mlflow")


PLUGIN = MLflow
