"""headstart push."""

from __future__ import annotations

from pathlib import Path

import click
from click import Argument, Option

from headstart.commands._options import command

OPTIONS = (
    Argument(["folder"], type=Path, help="A model folder, such as runs/NAME/best."),
    Argument(["address"], metavar="hf://OWNER/NAME", help="A repository of the hub, created if it does not exist."),
    Option(["--public"], is_flag=True, help="Make a new repository public. Default: private."),
)


@command(*OPTIONS)
def push(folder: Path, address: str, public: bool) -> None:
    """Upload a model and its card to the Hugging Face hub, with the token in HF_TOKEN.

    Only the files that predictions need are uploaded, and README.md: no records, reports or test rows. HF_ENDPOINT
    names another hub.
    """
    from headstart.saved import upload

    click.echo(upload.push(folder, address, public=public))
