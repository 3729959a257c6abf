"""headstart compare."""

from __future__ import annotations

from pathlib import Path

from click import IntRange, Option

from headstart.commands import _output
from headstart.commands._options import assignments, command, names, roles, use_threads

OPTIONS = (
    Option(
        ["--by"], metavar="COL", help="Column of the test rows, such as a language: scores for each of its values too."
    ),
    Option(["--unlabelled"], metavar="FILE", help="More texts, without labels, for contenders that use them."),
    Option(
        ["--contenders"], metavar="A,B", help="Contenders to train, or all. Default: majority,linear,scratch,finetuned."
    ),
    Option(["--strategies"], metavar="X,Y", help="Fine-tuning strategies, or all. Default: frozen,partial,full."),
    Option(["--seeds"], type=IntRange(1), metavar="N", default=3, help="Number of trainings of each contender."),
    Option(
        ["--sizes"],
        metavar="N,..,all",
        help="Numbers of training rows of the learning curve, which shows how many labels pretraining is worth. "
        "Default: a tenth, a third and all of them, which takes about 50 % longer than --sizes all.",
    ),
    Option(["--budget"], type=float, metavar="MIN", help="Time limit of one training in minutes."),
    Option(["--metric"], metavar="M", help="accuracy (default), macro-F1, MCC, ..."),
    Option(
        ["--costs"],
        metavar="FILE",
        help="CSV of what each predicted label (columns) costs for each true one (rows): the label of the lowest "
        "expected cost is predicted, and the mean cost is a score.",
    ),
    Option(
        ["--hold-out-class"],
        metavar="LABEL",
        help="Leave the rows of a label out, and measure how confident the winner is of texts it has no label for.",
    ),
    Option(
        ["--augment"],
        metavar="NAME",
        default="none",
        help="typos: also train linear, scratch, finetuned, ... on copies of the training texts with typing errors.",
    ),
    Option(
        ["--stress"],
        is_flag=True,
        help="Predict 500 of the test rows also with typos, in capitals, without punctuation, ...: what breaks it?",
    ),
)


@command(*OPTIONS)
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
    costs: str | None,
    hold_out_class: str | None,
    augment: str,
    stress: bool,
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
    use_threads(threads)
    chosen = assignments(options)
    columns = roles(text, label, column)
    from headstart import usage

    usage.check_compare(
        (data, test, validation),
        unlabelled,
        task=task,
        columns=columns,
        features=features,
        costs=costs,
        encoding=encoding,
        contenders=names(contenders),
        strategies=names(strategies),
        backbone=backbone,
        options=chosen,
        sizes=names(sizes),
        metric=metric,
        augment=augment,
        device=device,
        track=track,
    )
    from headstart import api

    result = api.compare(
        data,
        task=task,
        columns=columns,
        features=features,
        costs=costs,
        hold_out_class=hold_out_class,
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
        augment=augment,
        stress=stress,
    )
    _output.print_comparison(result, as_json)
