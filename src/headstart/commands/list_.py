"""headstart list."""

from __future__ import annotations

import click

from headstart.commands._options import command


@command()
def list_() -> None:
    """List contenders, strategies, tasks and packaged models, one per line."""
    from headstart import usage

    for kind, members in usage.catalogue().items():
        click.echo(kind)
        for name, promise in members.items():
            click.echo(f"  {name:<14}  {promise}")
