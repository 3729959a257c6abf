"""headstart chat."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click
from click import Argument, FloatRange, IntRange, Option

from headstart.commands._options import command, use_threads

OPTIONS = (
    Argument(["model"], help="A model folder of the task generation, such as runs/NAME/best, or smollm2."),
    Option(
        ["--temperature"],
        default=0.7,
        type=FloatRange(0, 10),
        metavar="T",
        help="Higher for more varied answers; 0 for the most probable token at each step.",
    ),
    Option(["--top-k"], default=0, type=IntRange(0), metavar="K", help="Draw from the K most probable tokens; 0: all."),
    Option(
        ["--top-p"],
        default=0.9,
        type=FloatRange(0, 1, min_open=True),
        metavar="P",
        help="Draw from the most probable tokens with this total probability.",
    ),
    Option(["--seed"], default=0, metavar="N", help="Random seed; the same lines get the same answers."),
    Option(["--most"], default=200, type=IntRange(1), metavar="N", help="Most tokens of an answer."),
)


@command(*OPTIONS)
def chat(model: str, temperature: float, top_k: int, top_p: float, seed: int, most: int, threads: int | None) -> None:
    """Converse with a model in the terminal: each line of the input is a turn, and gets an answer.

    The conversation ends with the input (Ctrl-D) or with Ctrl-C.
    """
    use_threads(threads)
    from headstart import usage

    usage.check_chat(model)
    from dataclasses import replace

    import torch

    from headstart import chatting

    checkpoint = chatting.open_model(model)
    search = replace(
        checkpoint.search,
        beams=1,
        most=most,
        sample=temperature > 0,
        temperature=temperature or 1.0,
        top_k=top_k,
        top_p=top_p,
    )
    generator = torch.Generator().manual_seed(seed)
    turns: list[tuple[str, str]] = []
    try:
        for line in _lines():
            turns.append(("user", line))
            answer = ""
            for piece in chatting.answer(checkpoint, turns, search, generator):
                click.echo(piece, nl=False)
                sys.stdout.flush()
                answer += piece
            click.echo()
            turns.append(("assistant", answer))
    except KeyboardInterrupt:
        click.echo()


def _lines() -> Iterator[str]:
    """Yield the lines of standard input that are not empty, after a prompt where a person types them."""
    person = sys.stdin.isatty()
    while True:
        if person:
            click.echo("> ", nl=False, err=True)
        line = sys.stdin.readline()
        if not line:
            return
        if line.strip():
            yield line.strip()
