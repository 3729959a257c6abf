"""The command line: each command is one call of the API. Results go to standard output, all else to standard error."""

from __future__ import annotations

import dataclasses
import errno
import io
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from headstart import _output
from headstart._arguments import (
    Backbone,
    By,
    Columns,
    Contenders,
    Data,
    Device,
    Encoding,
    Group,
    Json,
    Label,
    Options,
    Out,
    Seed,
    Sizes,
    Strategies,
    Task,
    Test,
    Text,
    Threads,
    Time,
    Track,
    Unlabelled,
    Validation,
    assignments,
    names,
    roles,
)
from headstart.core.errors import HeadstartError, visible
from headstart.core.terminal import guard_other_messages

# Heavy imports are inside the commands: torch and scikit-learn take seconds to load, and --help should not wait.

app = typer.Typer(
    name="headstart",
    help="Find out, on your own labelled text, which model to use and how many labels pretraining is worth.",
    epilog="Exit codes: 0 done, 1 failure, 2 wrong usage, 3 bad data, 130 interrupted (rerun to resume).",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.command()
def compare(
    data: Data,
    task: Task = None,
    test: Test = None,
    validation: Validation = None,
    text: Text = None,
    label: Label = None,
    column: Columns = None,
    group: Group = None,
    time: Time = None,
    by: By = None,
    encoding: Encoding = None,
    unlabelled: Unlabelled = None,
    contenders: Contenders = None,
    strategies: Strategies = None,
    backbone: Backbone = "minilm",
    seeds: Annotated[int, typer.Option(min=1, help="Number of trainings of each contender.")] = 3,
    sizes: Sizes = None,
    budget: Annotated[float | None, typer.Option(metavar="MIN", help="Time limit of one training in minutes.")] = None,
    metric: Annotated[str | None, typer.Option(metavar="M", help="accuracy (default), macro-F1, MCC, ...")] = None,
    options: Options = None,
    out: Out = None,
    as_json: Json = False,
    device: Device = "auto",
    seed: Seed = 0,
    threads: Threads = None,
    track: Track = None,
) -> None:
    """Train contenders on your labelled text and report which to use.

    A finished training is never repeated: rerun the same command to resume, or add contenders to train only those.
    """
    _use(threads)
    chosen = assignments(options or [])
    columns = roles(text, label, column)
    from headstart import usage

    usage.check_compare(
        (data, test, validation),
        unlabelled,
        task=task,
        columns=columns,
        encoding=encoding,
        contenders=names(contenders),
        strategies=names(strategies),
        backbone=backbone,
        options=chosen,
        sizes=names(sizes),
        metric=metric,
        device=device,
        track=track,
    )
    from headstart import api

    result = api.compare(
        data,
        task=task,
        columns=columns,
        group=group,
        time=time,
        by=by,
        encoding=encoding,
        test=test,
        validation=validation,
        unlabelled=unlabelled,
        contenders=names(contenders),
        strategies=names(strategies),
        backbone=backbone,
        options=chosen,
        seeds=seeds,
        sizes=names(sizes),
        budget=budget,
        metric=metric,
        out=out,
        device=device,
        seed=seed,
        track=track,
    )
    _output.print_comparison(result, as_json)


@app.command()
def demo(
    name: Annotated[
        str,
        typer.Argument(metavar="[tweets|news|hotel]", help="A data set from an installed package; hotel is Chinese."),
    ] = "tweets",
    out: Out = None,
    as_json: Json = False,
    threads: Threads = None,
) -> None:
    """Run a comparison on real text with real weights, without downloads (takes minutes)."""
    _use(threads)
    from headstart import usage

    usage.check_demo(name)
    from headstart import api

    _output.print_comparison(api.demo(name, out=out), as_json)


@app.command()
def pretrain(
    corpus: Annotated[
        list[Path], typer.Argument(metavar="CORPUS", help="TXT, CSV, TSV, JSONL (also compressed) or Parquet files.")
    ],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Output folder of the model.")],
    text: Text = None,
    encoding: Encoding = None,
    size: Annotated[
        str, typer.Option(help="tiny (2 x 128), mini (4 x 256), small (4 x 512), base (12 x 768).")
    ] = "mini",
    start: Annotated[
        str, typer.Option("--from", metavar="MODEL", help="Continue from a BERT, with its size and vocabulary.")
    ] = "",
    vocabulary: Annotated[int, typer.Option(min=32, help="Maximum size.")] = 10_000,
    byte_level: Annotated[bool, typer.Option("--byte-level", help="Use byte-level BPE instead of WordPiece.")] = False,
    window: Annotated[int, typer.Option(min=8, help="Maximum tokens per text.")] = 128,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the text.")] = 10,
    minutes: Annotated[
        float, typer.Option(min=0, help="Time limit; the number of passes is reduced to fit. 0: no limit.")
    ] = 0.0,
    next_sentence: Annotated[
        bool | None,
        typer.Option(help="Also predict if one passage follows another. Default: if texts have several sentences."),
    ] = None,
    whole_words: Annotated[bool, typer.Option("--whole-words", help="Mask all pieces of a word or none.")] = False,
    batch_tokens: Annotated[int, typer.Option(min=1, help="Tokens per step.")] = 4096,
    learning_rate: Annotated[
        float, typer.Option(min=0, help="Peak learning rate. Default: depends on the size.")
    ] = 0.0,
    work: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Folder for tokens and checkpoints. Default: OUT.work.")
    ] = None,
    as_json: Json = False,
    device: Device = "auto",
    seed: Annotated[int, typer.Option(help="Random seed of weights, order and masks.")] = 0,
    threads: Threads = None,
    track: Track = None,
) -> None:
    """Pretrain a small BERT on your own text; then headstart compare DATA --backbone FOLDER fine-tunes it.

    The expected cost is printed before training starts. Rerun the same command to resume; text that was tokenised is
    not tokenised again.
    """
    _use(threads)
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
        typer.echo(visible(line))


@app.command()
def check(
    data: Data,
    task: Task = None,
    test: Test = None,
    validation: Validation = None,
    text: Text = None,
    label: Label = None,
    column: Columns = None,
    group: Group = None,
    time: Time = None,
    encoding: Encoding = None,
    backbone: Backbone = "minilm",
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Check the data for duplicates, leakage, contradictions and imbalance, without training."""
    columns = roles(text, label, column)
    from headstart import usage

    usage.check_check((data, test, validation), task=task, columns=columns, encoding=encoding, backbone=backbone)
    from headstart import api
    from headstart.report import findings

    audit = api.check(
        data,
        task=task,
        test=test,
        validation=validation,
        columns=columns,
        group=group,
        time=time,
        encoding=encoding,
        backbone=backbone,
        seed=seed,
    )
    if as_json:
        _output.print_json(dataclasses.asdict(audit))
        return
    typer.echo(", ".join(f"{count:,} {part}" for part, count in audit.rows.items()) + " rows")
    for line in findings.lines(audit.findings):
        typer.echo(line)


@app.command()
def predict(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model folder, such as runs/NAME/best.")],
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="CSV, TSV, TXT, JSONL or Parquet with texts, or - (standard input).")
    ],
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A .csv, .tsv, .jsonl or .parquet file. Default: standard output."),
    ] = None,
    text: Text = None,
    column: Columns = None,
    encoding: Encoding = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="Use 8-bit weights, which is faster; only if compare found labels unchanged.")
    ] = False,
    threads: Threads = None,
) -> None:
    """Add a prediction, and the probability of each class, to the rows of a file.

    Files of any size are processed in constant memory. A row without text is copied and gets none. A row that
    cannot be read (too long, too short, wrong encoding) is left out and reported on standard error.
    """
    _use(threads)
    columns = roles(text, None, column)
    from headstart import usage

    usage.check_predict(model, file, columns)
    from headstart import prediction

    prediction.predict_file(
        model, file, out, columns=columns, encoding=encoding, int8=int8, report=_output.row_printer(file)
    )


@app.command("list")
def list_() -> None:
    """List contenders, strategies, tasks and packaged models, one per line."""
    from headstart import usage

    for kind, members in usage.catalogue().items():
        typer.echo(kind)
        for name, promise in members.items():
            typer.echo(f"  {name:<14}  {promise}")


def main() -> None:
    """Run the command line and exit with its code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code; any error becomes one sentence on standard error."""
    # Threads that spin while they wait slow each other down on shared cores. Must be set before torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that cannot show a character shows '?'
    guard_other_messages()
    command = typer.main.get_command(app)
    try:
        with command.make_context("headstart", arguments or ["--help"]) as context:
            command.invoke(context)
        sys.stdout.flush()
    except HeadstartError as error:
        return _output.fail(str(error), error.exit_code)
    except typer.TyperException as error:
        return _output.fail(_output.usage_message(error), 2)
    except typer.Exit as error:
        return error.exit_code
    except KeyboardInterrupt:
        return _output.fail(
            "interrupted; rerun the same command to resume a comparison or a pretraining where it stopped.", 130
        )
    except BrokenPipeError:  # the reader closed the pipe
        _discard_output()
        return 1
    except MemoryError:
        return _output.fail("there is not enough memory for this: take fewer or shorter texts, or a larger machine.", 1)
    except OSError as error:
        # Whatever else is written names itself, so a full disk without a name is where standard output goes.
        printed = _discard_output() or error.errno == errno.ENOSPC
        place = f" '{error.filename}'" if error.filename else " (standard output)" if printed else ""
        return _output.fail(f"{error.strerror or error}{place}: fix this and rerun the same command.", 1)
    except BaseException as error:  # a panic in the Rust code of tokenizers is not an Exception
        return _output.fail(_output.unexpected_message(error), 1)
    return 0


def _discard_output() -> bool:
    """Send what standard output does not take nowhere, as Python writes it once more when it ends.

    Returns:
        whether there was any.
    """
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return True
    return False


def _use(threads: int | None) -> None:
    """Limit the threads of every library; each reads its variable once, when it is loaded."""
    if threads is not None:
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"):
            os.environ[name] = str(threads)


if __name__ == "__main__":
    main()
