"""headstart explain."""

from __future__ import annotations

import sys

from click import Argument, Option

from headstart.commands import _output
from headstart.commands._options import command, use_threads

OPTIONS = (
    Argument(["model"], help="A model folder, such as runs/NAME/best."),
    Option(
        ["--text", "texts"],
        multiple=True,
        metavar="TEXT",
        help="A text to explain; may be repeated. For pairs and questions both texts, one after the other.",
    ),
    Option(["--method"], metavar="NAME", help="contributions, integrated-gradients, gradient-x-input or occlusion."),
    Option(["--class", "name"], metavar="NAME", help="The class to explain. Default: what the model predicts."),
)


@command(*OPTIONS)
def explain(
    model: str, texts: tuple[str, ...], method: str | None, name: str | None, as_json: bool, threads: int | None
) -> None:
    """Show which words of a text speak for what a model predicts, and which against it."""
    use_threads(threads)
    from headstart import usage

    usage.check_explain(model, method)
    from rich.console import Console

    from headstart import explain as explaining
    from headstart import explaining as reading
    from headstart.explain.show import show
    from headstart.prediction import open_model
    from headstart.report import build

    fitted = open_model(model)
    explanations = explaining.explain(fitted, reading.inputs_of(fitted.task, texts), method=method, name=name)
    if as_json:
        _output.print_json(build.plain(explanations))
    else:
        show(explanations, Console(width=None if sys.stdout.isatty() else build.WIDTH))
