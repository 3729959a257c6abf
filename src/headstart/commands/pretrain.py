"""headstart pretrain."""

from __future__ import annotations

from pathlib import Path

import click
from click import Argument, FloatRange, IntRange, Option

from headstart.commands import _output
from headstart.commands._options import command, use_threads
from headstart.core.errors import visible

OPTIONS = (
    Argument(
        ["corpus"], type=Path, nargs=-1, required=True, help="TXT, CSV, TSV, JSONL (also compressed) or Parquet files."
    ),
    Option(["--out"], type=Path, required=True, metavar="FOLDER", help="Output folder of the model."),
    Option(
        ["--size"],
        default="mini",
        metavar="NAME",
        help="tiny (2 x 128), mini (4 x 256), small (4 x 512), base (12 x 768).",
    ),
    Option(
        ["--from", "start"],
        default="",
        show_default=False,
        metavar="MODEL",
        help="Continue from a BERT, with its size and vocabulary.",
    ),
    Option(["--vocabulary"], type=IntRange(32), metavar="N", default=10_000, help="Maximum size."),
    Option(["--byte-level"], is_flag=True, help="Use byte-level BPE instead of WordPiece."),
    Option(["--window"], type=IntRange(8), metavar="N", default=128, help="Maximum tokens per text."),
    Option(["--epochs"], type=IntRange(1), metavar="N", default=10, help="Passes over the text."),
    Option(
        ["--minutes"],
        type=FloatRange(0),
        metavar="MIN",
        default=0.0,
        show_default=False,
        help="Time limit; the number of passes is reduced to fit. 0: no limit.",
    ),
    Option(
        ["--next-sentence/--no-next-sentence"],
        default=None,
        help="Also predict if one passage follows another. Default: if texts have several sentences.",
    ),
    Option(["--whole-words"], is_flag=True, help="Mask all pieces of a word or none."),
    Option(["--batch-tokens"], type=IntRange(1), metavar="N", default=4096, help="Tokens per step."),
    Option(
        ["--learning-rate"],
        type=FloatRange(0),
        metavar="RATE",
        default=0.0,
        show_default=False,
        help="Peak learning rate. Default: depends on the size.",
    ),
    Option(["--work"], type=Path, metavar="FOLDER", help="Folder for tokens and checkpoints. Default: OUT.work."),
    Option(["--seed"], default=0, metavar="N", help="Random seed of weights, order and masks."),
)


@command(*OPTIONS)
def pretrain(
    corpus: tuple[Path, ...],
    out: Path,
    text: str | None,
    encoding: str | None,
    size: str,
    start: str,
    vocabulary: int,
    byte_level: bool,
    window: int,
    epochs: int,
    minutes: float,
    next_sentence: bool | None,
    whole_words: bool,
    batch_tokens: int,
    learning_rate: float,
    work: Path | None,
    as_json: bool,
    device: str,
    seed: int,
    threads: int | None,
    track: str | None,
) -> None:
    """Pretrain a small BERT on your own text; then headstart compare DATA --backbone FOLDER fine-tunes it.

    The expected cost is printed before training starts. Rerun the same command to resume; text that was tokenised is
    not tokenised again.
    """
    use_threads(threads)
    from headstart import usage

    usage.check_pretrain(corpus, size=size, start=start, device=device, track=track)
    from headstart import api
    from headstart.report import pretraining

    record = api.pretrain(
        corpus,
        out,
        text=text,
        encoding=encoding,
        size=size,
        start=start,
        vocabulary=vocabulary,
        byte_level=byte_level,
        window=window,
        epochs=epochs,
        minutes=minutes,
        next_sentence=next_sentence,
        whole_words=whole_words,
        batch_tokens=batch_tokens,
        learning_rate=learning_rate,
        work=work,
        device=device,
        seed=seed,
        track=track,
    )
    if as_json:
        _output.print_json(record)
        return
    for line in pretraining.summary(record, out):
        click.echo(visible(line))
