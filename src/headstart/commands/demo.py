"""headstart demo."""

from __future__ import annotations

from pathlib import Path

from click import Argument

from headstart.commands import _output
from headstart.commands._options import command, use_threads

OPTIONS = (
    Argument(
        ["name"],
        default="tweets",
        metavar="[tweets|news|hotel]",
        help="A data set from an installed package; hotel is Chinese. Default: tweets.",
    ),
)


@command(*OPTIONS)
def demo(name: str, out: Path | None, as_json: bool, threads: int | None) -> None:
    """Run a comparison on real text with real weights, without downloads (takes minutes)."""
    use_threads(threads)
    from headstart import usage

    usage.check_demo(name)
    from headstart import api

    _output.print_comparison(api.demo(name, out=out), as_json)
