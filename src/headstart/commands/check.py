"""headstart check."""

from __future__ import annotations

import dataclasses

import click

from headstart.commands import _output
from headstart.commands._options import assignments, command, roles


@command()
def check(
    data: str,
    task: str | None,
    test: str | None,
    validation: str | None,
    text: str | None,
    label: str | None,
    column: tuple[str, ...],
    features: str | None,
    group: str | None,
    time: str | None,
    encoding: str | None,
    backbone: str,
    options: tuple[str, ...],
    seed: int,
    as_json: bool,
) -> None:
    """Check the data for duplicates, leakage, contradictions and imbalance, without training."""
    columns = roles(text, label, column)
    chosen = assignments(options)
    from headstart import usage

    usage.check_check(
        (data, test, validation),
        task=task,
        columns=columns,
        features=features,
        encoding=encoding,
        backbone=backbone,
        options=chosen,
    )
    from headstart import api
    from headstart.report import findings

    audit = api.check(
        data,
        task=task,
        test=test,
        validation=validation,
        columns=columns,
        features=features,
        group=group,
        time=time,
        encoding=encoding,
        backbone=backbone,
        options=chosen,
        seed=seed,
    )
    if as_json:
        _output.print_json(dataclasses.asdict(audit))
        return
    click.echo(", ".join(f"{count:,} {part}" for part, count in audit.rows.items()) + " rows")
    for line in findings.lines(audit.findings):
        click.echo(line)
