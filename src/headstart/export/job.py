"""Export a model: write its folder, check it on all rows, and keep it only if it predicts what the original does."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from headstart.checkpoints import manifest
from headstart.contest import meter, models
from headstart.contest import rows as run_rows
from headstart.contest.int8 import Agreement
from headstart.core import checked
from headstart.core import device as devices
from headstart.core.contracts import Task, Value
from headstart.core.errors import ExportError, UsageError
from headstart.core.files import append_line, replacing_folder
from headstart.core.hashing import file_sha256
from headstart.core.records import Predictions, Rows
from headstart.core.tally import Metric, named
from headstart.data import read as reader
from headstart.data.roles import Given
from headstart.export import certificate, folder, graph
from headstart.export.certificate import Part
from headstart.export.folder import Exported
from headstart.export.graph import Quantisation
from headstart.export.place import CERTIFICATE, check
from headstart.saved import model_folder

FORMAT = 1  # of the certificate
# The ways to 8 bits, in the order in which they are tried. OpenVINO computes in float32 what has dynamic scales.
_SPARED: tuple[tuple[str, ...], ...] = ((), ("down",), ("up", "down"))
_STATIC = tuple(Quantisation("static", spared) for spared in _SPARED)
METHODS: Mapping[str, tuple[Quantisation, ...]] = {
    "onnxruntime": (*(Quantisation("dynamic", spared) for spared in _SPARED), _STATIC[0]),
    "openvino": _STATIC,
}
CALIBRATION = 128  # validation rows by which static 8-bit scales are fixed
PACKAGES = ("onnx", "onnxruntime", "openvino", "tokenizers")


@dataclass(frozen=True)
class Checked:
    """The rows on which an export is compared with its original.

    parts: name -> rows; 'validation' and 'test' of the comparison, or 'file' for those of a named file.
    sha256: of these rows.
    metric: the score that is compared.
    origin: the comparison that the model is from; None for the rows of a named file.
    """

    parts: Mapping[str, Rows]
    sha256: str
    metric: Metric
    origin: run_rows.Origin | None


def export(
    model: str | Path,
    out: str | Path,
    *,
    to: str = "onnx",
    int8: bool = False,
    data: str | Path | None = None,
    columns: Given | None = None,
    encoding: str | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> dict[str, Value]:
    """Write a model as a folder that predicts without Headstart and torch, with a certificate; return that.

    All validation and test rows of the comparison that the model is from are predicted by the exported program. In
    float32 every predicted value must be equal, and no probability may differ by more than 1e-4. With 8-bit weights the
    predictions of the validation rows must pass the gate of `contest.int8`; see `METHODS` for what is tried. Otherwise
    nothing is written.

    Args:
        model: a model folder, such as ``runs/NAME/best``.
        out: the folder to write; an earlier export is replaced.
        to: 'onnx' or 'openvino'; for linear models always numpy and JSON.
        int8: with 8-bit weights.
        data: a file with labelled rows, which are used instead of those of the comparison.
        columns: role -> column of `data`; others are detected.
        encoding: of `data`.
        report: called with sentences about what is done, and with the rows that changed.

    Raises:
        UsageError: a model or format that cannot be exported, a missing package, a folder with other content, or rows
            that cannot be read.
        ExportError: the export predicts something else.
        CheckpointError: the model's folder is damaged.
    """
    model, out = Path(model), Path(out)
    form = check(to, out)
    fitted = model_folder.open_model(model)
    chosen = folder.exported(fitted, form)
    if int8 and chosen.runtime == "numpy":
        raise UsageError("a linear model has no 8-bit version; leave out --int8.")
    rows = _rows(model, fitted.task, data, columns, encoding)
    with replacing_folder(out) as fresh, tempfile.TemporaryDirectory() as work:
        report("Writing the model.")
        folder.write(chosen, fresh)
        original = {name: fitted.predict(part.inputs) for name, part in rows.parts.items() if name != "test"}
        way = _quantised(fitted.task, chosen, fresh, Path(work), rows, original, report) if int8 else None
        if chosen.runtime == "openvino":
            for name in chosen.graphs:
                graph.to_openvino(fresh / name / folder.MODEL, fresh / name / folder.OPENVINO)
                (fresh / name / folder.MODEL).unlink()
        if rows.origin is not None:
            _log_opening(rows.origin, to, int8)
        original |= {name: fitted.predict(part.inputs) for name, part in rows.parts.items() if name == "test"}
        parts: dict[str, Part] = {}
        latency = (0.0, 0.0)
        for name, part in rows.parts.items():
            report(f"Checking {len(part):,} {name} rows.")
            measured = certificate.measure(fresh, fitted.task, part.inputs)
            parts[name] = certificate.compare(fitted.task, rows.metric, part, original[name], measured.predictions)
            latency = latency if any(latency) else measured.latency  # of the validation rows
        if not int8:
            _check_exact(parts, report)
        first = next(iter(rows.parts.values()))
        values: dict[str, Value] = {
            "format": FORMAT,
            "made": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "model": {"folder": str(model), "sha256": file_sha256(model / manifest.NAME)},
            "export": {
                path.relative_to(fresh).as_posix(): file_sha256(path)
                for path in sorted(fresh.rglob("*"))
                if path.is_file()
            },
            "data": rows.sha256,
            "runtime": chosen.runtime,
            "precision": "float32" if way is None else f"int8, {way}",
            "metric": rows.metric.name,
            "rows": {name: _figures(part) for name, part in parts.items()},
            "latency_ms": {"original": list(meter.latency(fitted, first.inputs)), "export": list(latency)},
            "bytes": {"original": models.whole_bytes(model), "export": meter.folder_bytes(fresh)},
            "machine": devices.describe(),
            "packages": {name: _version(name) for name in PACKAGES},
        }
        checked.write(fresh / CERTIFICATE, values)
    return values


def _version(package: str) -> str:
    """Return the version of a package; '' if it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def sentences(values: Mapping[str, Value]) -> list[str]:
    """Say what a certificate says, in a few lines."""
    lines = []
    for name, part in values["rows"].items():
        better, low, high = part["better_by"]
        lines.append(
            f"{name}: {part['equal']:,} of {part['rows']:,} rows are predicted alike, the largest difference is "
            f"{part['largest']:.1e}; {values['metric']} {part['export']:.4f} instead of {part['original']:.4f} "
            f"(better by {better:+.4f}, {low:+.4f} to {high:+.4f})."
        )
    own, before = ([f"{time:.1f}" for time in values["latency_ms"][name]] for name in ("export", "original"))
    sizes = values["bytes"]
    lines.append(
        f"{values['runtime']}, {values['precision']}: {own[0]} ms a text (95 % below {own[1]}) instead of {before[0]} "
        f"({before[1]}); {sizes['export'] / 1e6:.1f} MB instead of {sizes['original'] / 1e6:.1f} MB."
    )
    return lines


def _rows(model: Path, task: Task, data: str | Path | None, columns: Given | None, encoding: str | None) -> Checked:
    if data is not None:
        known = dict(column.split("=", 1) for column in task.input_columns)
        table = reader.read(str(data), task, {**known, **(columns or {})}, encoding=encoding)
        return Checked({"file": table.rows}, table.sha256, task.metrics[0], None)
    origin = run_rows.origin(model)
    if origin is None:
        raise UsageError(f"'{model}' is in no comparison that says which rows it was judged on; {run_rows.INSTEAD}.")
    splits, metric = run_rows.read(origin)
    parts = {"validation": splits.validation, "test": splits.test}
    return Checked(parts, splits.sha256, named(task.metrics, metric), origin)


def _quantised(
    task: Task,
    chosen: Exported,
    fresh: Path,
    work: Path,
    rows: Checked,
    original: Mapping[str, Predictions],
    report: Callable[[str], None],
) -> Quantisation:
    """Replace the model in a folder by its 8-bit version, and return the first way that passes the gate.

    Raises:
        ExportError: none does.
    """
    (name, part), *_ = rows.parts.items()  # validation rows come first
    for place in chosen.graphs:
        (work / "float" / place).mkdir(parents=True)
        (fresh / place / folder.MODEL).rename(work / "float" / place / folder.MODEL)
    refused: list[tuple[Quantisation, Agreement, Part]] = []
    for way in METHODS[chosen.runtime]:
        report(f"Trying 8-bit weights, {way}, on {len(part):,} {name} rows.")
        for place, neural in chosen.graphs.items():
            batches = folder.batches(neural, part.inputs[:CALIBRATION]) if way.method == "static" else []
            graph.quantise(work / "float" / place / folder.MODEL, fresh / place / folder.MODEL, way, batches)
        tried = fresh
        if chosen.runtime == "openvino":
            tried = work / str(way)
            shutil.copytree(fresh, tried, ignore=shutil.ignore_patterns(folder.MODEL))
            for place in chosen.graphs:
                graph.to_openvino(fresh / place / folder.MODEL, tried / place / folder.OPENVINO)
        measured = certificate.measure(tried, task, part.inputs)
        compared = certificate.compare(task, rows.metric, part, original[name], measured.predictions)
        agreement = certificate.gate(task, rows.metric, compared)
        if agreement.offered:
            return way
        refused.append((way, agreement, compared))
    way, agreement, compared = max(refused, key=lambda each: each[1].agreement)
    for line in certificate.changed_lines(compared):
        report(line)
    raise ExportError(f"{agreement.sentence} That was {way} quantisation, the best one; nothing was written.")


def _check_exact(parts: Mapping[str, Part], report: Callable[[str], None]) -> None:
    """Check that a float export predicts what its original does.

    Raises:
        ExportError: it does not.
    """
    failed = {name: part for name, part in parts.items() if not part.exact}
    if not failed:
        return
    for part in failed.values():
        for line in certificate.changed_lines(part):
            report(line)
    reasons = (
        f"{part.rows - part.equal:,} of {part.rows:,} {name} rows are predicted otherwise, and the largest difference "
        f"is {part.largest:.1e} (at most {certificate.DIFFERENCE:.0e})"
        for name, part in failed.items()
    )
    raise ExportError(f"the export does not predict as the model does: {'; '.join(reasons)}; nothing was written.")


def _figures(part: Part) -> dict[str, Value]:
    """Return a comparison as it is written in the certificate."""
    changed = [{"id": name, "original": before, "export": after} for name, before, after in part.changed]
    return {**asdict(part), "changed": changed}


def _log_opening(origin: run_rows.Origin, to: str, int8: bool) -> None:
    """Log that the test rows are read once more."""
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    entry = {"when": now, "trial": origin.trial, "export": f"{to}, int8" if int8 else to}
    append_line(origin.folder / "test_openings.jsonl", json.dumps(entry))
