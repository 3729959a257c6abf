"""headstart update."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click
from click import Argument, Option

from headstart.commands import _output
from headstart.commands._options import command, use_threads
from headstart.core.errors import visible

OPTIONS = (
    Argument(["model"], type=Path, help="The model folder of a comparison, such as runs/NAME/best."),
    Argument(["more"], help="New rows, with the columns of the old ones."),
    Option(["--data"], metavar="FILE", help="The data of the comparison. Default: the file of that name."),
    Option(["--test"], metavar="FILE", help="The test rows of the comparison, if it was given any."),
    Option(["--validation"], metavar="FILE", help="The validation rows of the comparison, likewise."),
    Option(["--group"], metavar="COL", help="As in the comparison."),
    Option(["--time"], metavar="COL", help="As in the comparison."),
    Option(["--out"], type=Path, metavar="FOLDER", help="The new model's folder. Default: MODEL-updated."),
    Option(["--force"], is_flag=True, help="Save the model even if it is worse on the old test rows."),
    Option(["--seed"], default=0, metavar="N", help="Random seed of the new rows' division and of the training."),
)


@command(*OPTIONS)
def update(
    model: Path,
    more: str,
    data: str | None,
    test: str | None,
    validation: str | None,
    group: str | None,
    time: str | None,
    encoding: str | None,
    out: Path | None,
    force: bool,
    as_json: bool,
    device: str,
    seed: int,
    threads: int | None,
) -> None:
    """Continue a comparison's model with new rows, or a new class, beside all old training rows.

    The old test rows are scored before and after. If the model becomes worse on them beyond noise, nothing is saved.
    """
    use_threads(threads)
    from headstart import usage
    from headstart.checkpoints import manifest

    usage.check_sources((more, data, test, validation))
    manifest.read(model)
    from headstart import updating

    done = updating.update(
        model,
        more,
        data=data,
        test=test,
        validation=validation,
        group=group,
        time=time,
        encoding=encoding,
        out=out,
        force=force,
        device=device,
        seed=seed,
    )
    if as_json:
        _output.print_json({**dataclasses.asdict(done), "folder": str(done.folder), "record": str(done.record)})
        return
    for line in updating.sentences(done):
        click.echo(visible(line))
