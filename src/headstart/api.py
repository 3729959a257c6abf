"""The functions behind the command line and Python: each combines one or two calls of each package."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from headstart import explaining, reading, tasks, trackers
from headstart.checkpoints import header
from headstart.comparison import Comparison
from headstart.contest import backbones, language, models, out_of_scope, plan, random_split, rank, run_folder, windows
from headstart.contest import int8 as eight_bits
from headstart.contest import rows as run_rows
from headstart.contest import run as contest
from headstart.contest import stress as stressing
from headstart.contest.trials import Terms, all_sources
from headstart.core import checked
from headstart.core import device as devices
from headstart.core.alone import alone
from headstart.core.contracts import Value, all_texts
from headstart.core.files import flush, write_whole
from headstart.core.records import Audit, Finding, Run, Tracking
from headstart.core.tally import named
from headstart.core.terminal import say
from headstart.data import audit as auditing
from headstart.data import corpus as corpora
from headstart.data import demo as demos
from headstart.data import split as splitting
from headstart.data import tabular
from headstart.data.roles import Given, input_columns
from headstart.prediction import open_model, predict, predict_file
from headstart.pretraining import job
from headstart.report import build, card, judged, live
from headstart.report import pretraining as telling
from headstart.report.findings import lines as warning_lines
from headstart.tasks._costs import check_classes
from headstart.usage import catalogue

__all__ = [
    "Comparison",
    "catalogue",
    "check",
    "compare",
    "demo",
    "open_model",
    "predict",
    "predict_file",
    "pretrain",
    "read_result",
]

GUESSED = "Task: {}, guessed from the columns; choose another one with --task."
TASK = "classification"  # of the demonstrations
RESULT = "result.json"
LISTED = 20  # rejected rows listed before a comparison begins
# The trainings of a demonstration, which takes at most six minutes on two cores.
DEMOS: Mapping[str, Mapping[str, Value]] = {
    "tweets": {"seeds": 1, "sizes": (150,)},
    "news": {"seeds": 1, "sizes": (100,), "strategies": ("frozen",), "options": {"scratch.window": 128}},
    "hotel": {"seeds": 1, "sizes": (150,), "strategies": ("frozen", "partial"), "backbone": "e5-small"},
}
DEMO_ROWS = {"tweets": 2000, "news": 1000, "hotel": 2000}


def compare(
    data: object,
    *,
    task: str | None = None,
    text: str | None = None,
    label: str | None = None,
    columns: Given | None = None,
    features: tabular.Named = None,
    group: str | None = None,
    time: str | None = None,
    by: str | None = None,
    encoding: str | None = None,
    costs: str | Path | None = None,
    hold_out_class: str | None = None,
    test: object = None,
    validation: object = None,
    unlabelled: str | Path | Sequence[str] | None = None,
    contenders: Sequence[str] | None = None,
    strategies: Sequence[str] | None = None,
    backbone: str | Sequence[str] = "minilm",
    options: Mapping[str, Value] | None = None,
    seeds: int = 3,
    sizes: Sequence[int | str] | None = None,
    budget: float | None = None,
    metric: str | None = None,
    out: str | Path | None = None,
    device: str = "auto",
    seed: int = 0,
    track: str | Sequence[str] | None = None,
    augment: str = "none",
    stress: bool = False,
    listener: Callable[[contest.Event], None] | None = None,
) -> Comparison:
    """Train contenders on labelled text under one protocol, and report which to use.

    Writes ``report.html``, ``result.json`` and the winner's folder ``best``, with a model card, to `out`. Trainings
    that were finished there on the same data are not repeated, so an interrupted comparison resumes.

    Args:
        data: a file, an ``hf://datasets/`` address, a DataFrame, or a tuple of sequences, such as texts and labels.
        task: name of the task, such as 'classification'; None to infer it from the columns, with a message on standard
            error.
        text: name of the text column; None to detect it.
        label: name of the label column; None to detect it.
        columns: names of the task's other columns, such as ``{"question": "query"}``; others are detected.
        features: names of columns with numbers or categories that models read beside the text, see `data.tabular`.
        group: name of the column that says what a row belongs to (a person, a product, a document). Rows of a group are
            never in two parts, and intervals and tests treat groups, not rows, as independent.
        time: name of the column with the time of a row: train on the past, test on the future.
        by: name of a column of the test rows, such as their language, for each of whose values scores are given too. No
            model reads it. If the training rows have it, the drop on values that they lack is also given.
        encoding: of text files, such as 'cp1252'; None to detect it.
        costs: a CSV file of what each predicted label (columns) costs for each true one (rows), see `data.costs`; None
            if all errors are alike. The label of the lowest expected cost is predicted, and the mean cost is a score.
        hold_out_class: a label whose rows are left out of training, validation and test, to measure how confident the
            winner is of texts that it has no label for, see `contest.out_of_scope`; None for none.
        test: your own test rows, as `data`; None to split off 20 % of `data`.
        validation: your own validation rows, as `data`; None to split off 10 % of `data`.
        unlabelled: texts without labels, a file or a sequence, for contenders that use them; those that also occur in
            the test rows are left out.
        contenders: names as in `headstart list`; None for the default ones, 'all' for all.
        strategies: names as in `headstart list`; None for the default ones, 'all' for all.
        backbone: what is fine-tuned: a folder, a packaged model, or ``hf://owner/name[@revision]``. Several, in a list
            or separated by commas, compete under their own names, such as 'finetuned:full@e5-small'.
        options: 'contender.option' or 'strategy.option' -> value, such as ``{"scratch.layers": 4, "lora.rank": 4}``.
        seeds: number of trainings of each contender.
        sizes: training rows of the learning curve, to which all rows are always added; None for those of
            `contest.plan.learning_sizes`.
        budget: time limit of a training in minutes.
        metric: the score that decides; None for the task's first one, such as accuracy, or with costs their mean.
        out: a folder; None for ``runs/`` and the name of the data, or, if that belongs to another data set, a folder
            next to it, which is then named on standard error.
        device: 'auto', 'cpu' or 'cuda'.
        seed: of the split and the first training.
        track: trackers besides ``metrics.jsonl``, such as 'tensorboard', 'wandb' or 'mlflow', for the steps of every
            Transformer's training; their output is in ``tracking`` in `out`.
        augment: 'typos' for each contender that can to be trained a second time, on copies with typing errors too.
        stress: predict the test rows also after transformations of their texts, and report what breaks each contender.
        listener: called with every trial and its progress; None to show them on standard error.

    Raises:
        UsageError: an unknown name, column, option or device; another process uses `out`, or it belongs to another data
            set.
        DataError: data that cannot be read or split.
        TrainingError: no contender could be trained.
    """
    tracked = trackers.check(track)
    columns = reading.named(text, label, columns)
    name = task or reading.guess(data, encoding, columns, features)
    rules = reading.task(name, features, costs, metric)
    table, splits = splitting.read_and_split(
        data, rules, test, validation, columns=columns, group=group, time=time, by=by, encoding=encoding, seed=seed
    )
    check_classes(rules, (*splits.train.targets, *splits.validation.targets, *splits.test.targets))
    outside = None
    if hold_out_class is not None:
        table, splits, outside = out_of_scope.held_out(table, splits, rules, hold_out_class)
    rules = replace(rules, input_columns=input_columns(rules, table.columns))
    audit = auditing.audit(splits, rules)
    planned = plan.plan(
        task=rules,
        train_rows=len(splits.train),
        contenders=contenders or plan.default_contenders(rules),
        strategies=strategies or plan.STRATEGIES,
        backbone=backbone,
        options=options,
        sizes=(*(plan.learning_sizes(len(splits.train)) if sizes is None else sizes), "all"),
        seeds=range(seed, seed + seeds),
        augment=augment,
    )
    texts: tuple[str, ...] = ()
    if unlabelled is not None:
        plan.check_reads_unlabelled(planned.trials)
        texts, finding = corpora.unlabelled(
            unlabelled, all_texts(rules, splits.test.inputs), encoding, table.columns[rules.columns[0].role][0]
        )
        audit = replace(audit, findings=(*audit.findings, finding))
    warn = _warn if listener is None else lambda _: None
    warn((*auditing.reading(table), *audit.findings))
    spoken = language.findings(backbones.open_all(planned.trials, rules), all_texts(rules, splits.train.inputs))
    warn(spoken)
    audit = replace(audit, findings=(*audit.findings, *spoken))
    judged_by = named(rules.metrics, metric).name if metric else rules.metrics[0].name
    chosen = devices.choose(device)
    if task is None and listener is None:
        say(GUESSED.format(name))
    place = Path(out) if out is not None else None
    with run_folder.opened(place, splits, table.name, say) as folder:
        used = all_sources(planned.trials)
        transformed = stressing.prepare(splits.test, rules, seed=seed, backbones=used) if stress else None
        terms = Terms(folder, judged_by, budget, chosen, texts, tracked, transformed)
        with (
            live.Watch(named(rules.metrics, judged_by), planned.trials)
            if listener is None
            else nullcontext(listener) as listen
        ):
            outcome = contest.run(splits, rules, planned.trials, terms, listen)
        skipped = {**planned.skipped, **outcome.failed}
        if (group or time) and test is None:
            gap = random_split.gap(table.rows, splits, rules, named(rules.metrics, judged_by), seed)
            audit = replace(audit, findings=(*audit.findings, gap))
            warn([gap])
        result = judged.result(name, rules, table, splits, audit, outcome.records, terms, skipped, by)
        winner = outcome.models[rank.winner(result.standings).contender]
        if hold_out_class is not None and outside is not None:
            unknown = out_of_scope.judged(winner, outcome.records, outside, hold_out_class)
            result = replace(result, audit=replace(result.audit, findings=(*result.audit.findings, unknown)))
            warn([unknown])
        with models.naming_record(winner, terms):
            message = eight_bits.message(winner, splits.validation, terms.metric)
        given = {"columns": columns, "group": group, "time": time, "by": by, "encoding": encoding, "seed": seed}
        given |= {"hold_out_class": hold_out_class} if hold_out_class is not None else {}
        sources = {"data": data, "test": test, "validation": validation}
        run_rows.write(folder, name, judged_by, sources, {**given, "features": tabular.listed(features) or None})
        words = explaining.best_of(result, winner)  # before it is copied, since that adds to its folder
        models.announce(winner, terms, lambda best: card.text(result, winner, best))
        build.write(result, folder / "report.html", words)
        write_whole(folder / RESULT, json.dumps(build.as_json(result), indent=1))
        flush(folder)
    if message and listener is None:
        say(message)
    return Comparison(result, winner.resolve())


def pretrain(
    files: Sequence[str | Path],
    out: str | Path,
    *,
    text: str | None = None,
    encoding: str | None = None,
    size: str = "mini",
    start: str = "",
    vocabulary: int = 10_000,
    byte_level: bool = False,
    window: int = 128,
    epochs: int = 10,
    minutes: float = 0.0,
    next_sentence: bool | None = None,
    whole_words: bool = False,
    batch_tokens: int = 4096,
    learning_rate: float = 0.0,
    work: str | Path | None = None,
    device: str = "auto",
    seed: int = 0,
    track: str | Sequence[str] | None = None,
) -> dict[str, Value]:
    """Pretrain a small BERT on your own text, of any size, and save it in a folder that opens in transformers.

    The expected cost is printed on standard error before training starts. Killed at any moment, the same call resumes.

    Args:
        files: see `data.corpus.of_files`.
        out: the model's folder, for ``compare(..., backbone=out)``; existing content is replaced.
        text: see `data.corpus.of_files`.
        encoding: see `data.corpus.of_files`.
        size: 'tiny', 'mini', 'small' or 'base'.
        start: a model to continue from, with its own size and vocabulary.
        vocabulary: see `pretraining.job.Recipe`, also for the options up to `learning_rate`.
        byte_level: use byte-level BPE.
        window: maximum number of tokens of a text.
        epochs: passes over the text.
        minutes: time limit; 0 for none.
        next_sentence: whether passages are predicted too; None if documents have several sentences.
        whole_words: mask all pieces of a word or none.
        batch_tokens: tokens per step.
        learning_rate: peak rate; 0 for the size's default.
        work: folder for tokenised text and checkpoints; None for a folder next to `out`.
        device: 'auto', 'cpu' or 'cuda'.
        seed: of weights, order and masks.
        track: see :func:`compare`; the trackers' output is in ``tracking`` in `work`.

    Returns:
        costs and scores on held-out documents, as in the folder's ``pretraining.json``.

    Raises:
        UsageError: an unknown size, column, model or device, a missing package, or another process uses `work`.
        DataError: text that cannot be read, or fewer than two documents.
    """
    if start:
        header.open_header(start)  # before a corpus is read, which may take hours
    tracked = trackers.check(track)
    out = Path(out)
    beside = out.absolute()  # '.' has no name of its own
    work = Path(work) if work is not None else beside.with_name(f"{beside.name}.work")
    recipe = job.Recipe(
        size=size,
        vocabulary=vocabulary,
        byte_level=byte_level,
        window=window,
        backbone=start,
        epochs=epochs,
        minutes=minutes,
        next_sentence=next_sentence,
        whole_words=whole_words,
        batch_tokens=batch_tokens,
        learning_rate=learning_rate,
    )
    with alone(work), telling.Watch() as watch:
        corpus = corpora.of_files(files, text, watch.say, encoding=encoding)
        tracking = Tracking(tracked, work / "tracking" / beside.name, work)
        run = Run(seed, work, device=devices.choose(device), progress=watch, tracking=tracking)
        return job.pretrain(corpus, recipe, run, out, work, lambda p: watch.say(*telling.planned(p, size)))


def check(
    data: object,
    *,
    task: str | None = None,
    test: object = None,
    validation: object = None,
    text: str | None = None,
    label: str | None = None,
    columns: Given | None = None,
    features: tabular.Named = None,
    group: str | None = None,
    time: str | None = None,
    encoding: str | None = None,
    backbone: str | Sequence[str] = "minilm",
    options: Mapping[str, Value] | None = None,
    seed: int = 0,
) -> Audit:
    """Check the data for duplicates, leakage, contradictions, imbalance and long texts, without training.

    The rows are split as in :func:`compare`. Args and Raises: as there; of the options those of 'scratch',
    'seq2seq' and 'finetuned', since they say what is read of long texts.
    """
    named_columns = reading.named(text, label, columns)
    name = task or reading.guess(data, encoding, named_columns, features)
    rules = tabular.reading(tasks.load(name), features)
    table, splits = splitting.read_and_split(
        data, rules, test, validation, columns=named_columns, group=group, time=time, encoding=encoding, seed=seed
    )
    if task is None:
        say(GUESSED.format(name))
    audit = auditing.audit(splits, rules)
    return replace(
        audit,
        findings=(
            *auditing.reading(table),
            *audit.findings,
            *windows.findings(rules, splits.train, backbone, options),
        ),
    )


def demo(
    name: str = "tweets",
    *,
    out: str | Path | None = None,
    listener: Callable[[contest.Event], None] | None = None,
) -> Comparison:
    """Compare contenders on real text from an installed package: 'tweets', 'news' or 'hotel' (Chinese reviews).

    Raises:
        UsageError: an unknown name, or a package that is not installed.
    """
    table = demos.demo(name, tasks.load(TASK), DEMO_ROWS.get(name))
    return compare(table, task=TASK, out=out, listener=listener, **DEMOS[name])


def read_result(folder: str | Path) -> dict[str, Value]:
    """Read the ``result.json`` that :func:`compare` left in a folder, and make sure that it is what was written.

    Raises:
        CheckpointError: there is none, or it was changed.
    """
    return checked.read(Path(folder) / RESULT, "run the comparison again: it trains nothing twice")


def _warn(findings: Iterable[Finding]) -> None:
    """Print the warnings among findings on standard error."""
    for line in warning_lines([finding for finding in findings if finding.severity == "warning"], LISTED):
        say(line)
