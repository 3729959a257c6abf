"""headstart export."""

from __future__ import annotations

from pathlib import Path

import click
from click import Argument, Option

from headstart.commands import _output
from headstart.commands._options import command, roles, use_threads

OPTIONS = (
    Argument(["model"], help="A model folder, such as runs/NAME/best."),
    Option(["--to"], default="onnx", metavar="FORMAT", help="onnx or openvino; linear models become numpy and JSON."),
    Option(["--int8"], is_flag=True, help="8-bit weights; only if predictions of the validation rows hardly change."),
    Option(["--out"], type=Path, required=True, metavar="FOLDER", help="Output folder."),
    Option(["--data"], metavar="FILE", help="Labelled rows for the certificate. Default: those of the comparison."),
)


@command(*OPTIONS)
def export(
    model: str,
    to: str,
    int8: bool,
    out: Path,
    data: str | None,
    text: str | None,
    label: str | None,
    column: tuple[str, ...],
    encoding: str | None,
    threads: int | None,
    as_json: bool,
) -> None:
    """Write a model as a folder that predicts without Headstart and torch, with a certificate.

    All validation and test rows are predicted by the exported program. If it predicts something else than the
    model, nothing is written and the rows are listed.
    """
    use_threads(threads)
    columns = roles(text, label, column)
    from headstart import usage

    usage.check_export(model, out, to=to, data=data)
    from headstart.core.terminal import say
    from headstart.export import job

    values = job.export(model, out, to=to, int8=int8, data=data, columns=columns, encoding=encoding, report=say)
    if as_json:
        _output.print_json(values)
        return
    for line in job.sentences(values):
        click.echo(line)
