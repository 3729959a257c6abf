"""The command line: each command is one call of the API. Results go to standard output, all else to standard error."""

from __future__ import annotations

import dataclasses
import errno
import inspect
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path

import click

from headstart import _output
from headstart._arguments import COMPARE, DEMO, PREDICT, PRETRAIN, SHARED, assignments, names, roles
from headstart.core.errors import HeadstartError, visible
from headstart.core.terminal import guard_other_messages

# Heavy imports are inside the commands: torch and scikit-learn take seconds to load, and --help should not wait.


class _InOrder(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands as they are defined below, in the order in which a person needs them."""
        return list(self.commands)


app = _InOrder(
    "headstart",
    help="Find out, on your own labelled text, which model to use and how many labels pretraining is worth.",
    epilog="Exit codes: 0 done, 1 failure, 2 wrong usage, 3 bad data, 130 interrupted (rerun to resume).",
    context_settings={"show_default": True},
)


def command(*own: click.Parameter) -> Callable[[Callable[..., None]], click.Command]:
    """Add a command with the parameters of a function, each as it is declared by its name here or in `SHARED`."""
    known = {parameter.name: parameter for parameter in (*SHARED, *own)}

    def add(function: Callable[..., None]) -> click.Command:
        parameters = [known[name] for name in inspect.signature(function).parameters]
        return app.command(function.__name__.rstrip("_"), params=parameters)(function)

    return add


@command(*COMPARE)
def compare(
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
    by: str | None,
    encoding: str | None,
    unlabelled: str | None,
    contenders: str | None,
    strategies: str | None,
    backbone: str,
    seeds: int,
    sizes: str | None,
    budget: float | None,
    metric: str | None,
    options: tuple[str, ...],
    out: Path | None,
    as_json: bool,
    device: str,
    seed: int,
    threads: int | None,
    track: str | None,
) -> None:
    """Train contenders on your labelled text and report which to use.

    A finished training is never repeated: rerun the same command to resume, or add contenders to train only those.
    """
    _use(threads)
    chosen = assignments(options)
    columns = roles(text, label, column)
    from headstart import usage

    usage.check_compare(
        (data, test, validation),
        unlabelled,
        task=task,
        columns=columns,
        features=features,
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
        features=features,
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


@command(*DEMO)
def demo(name: str, out: Path | None, as_json: bool, threads: int | None) -> None:
    """Run a comparison on real text with real weights, without downloads (takes minutes)."""
    _use(threads)
    from headstart import usage

    usage.check_demo(name)
    from headstart import api

    _output.print_comparison(api.demo(name, out=out), as_json)


@command(*PRETRAIN)
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
        click.echo(visible(line))


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


@command(*PREDICT)
def predict(
    model: str,
    file: Path,
    out: Path | None,
    text: str | None,
    column: tuple[str, ...],
    encoding: str | None,
    int8: bool,
    threads: int | None,
) -> None:
    """Add a prediction, and the probability of each class or of the whole prediction, to the rows of a file.

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


@command()
def list_() -> None:
    """List contenders, strategies, tasks and packaged models, one per line."""
    from headstart import usage

    for kind, members in usage.catalogue().items():
        click.echo(kind)
        for name, promise in members.items():
            click.echo(f"  {name:<14}  {promise}")


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
    try:
        with app.make_context("headstart", arguments or ["--help"]) as context:
            app.invoke(context)
        sys.stdout.flush()
    except HeadstartError as error:
        return _output.fail(str(error), error.exit_code)
    except click.ClickException as error:
        return _output.fail(_output.usage_message(error), 2)
    except click.exceptions.Exit as error:
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
