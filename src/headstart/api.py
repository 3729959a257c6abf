"""What the command line and Python call: each function is a walk through the rooms, a call or two in each."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from headstart import tasks, trackers
from headstart.checkpoints import header, hub, manifest
from headstart.contenders import _pretraining
from headstart.contest import int8 as eight_bits
from headstart.contest import language, models, plan, rank, run_folder, windows
from headstart.contest import run as contest
from headstart.contest.trials import Terms
from headstart.core import device as devices
from headstart.core import rooms
from headstart.core.alone import alone
from headstart.core.contracts import Fitted, Value, all_texts
from headstart.core.errors import CheckpointError, UsageError
from headstart.core.files import write_whole
from headstart.core.records import Audit, Finding, Run, Splits, Table, Tracking, Trial
from headstart.core.results import Result
from headstart.core.terminal import say
from headstart.data import audit as auditing
from headstart.data import corpus as corpora
from headstart.data import demo as demos
from headstart.data import split as splitting
from headstart.data.read import columns as read_columns
from headstart.metrics import labels
from headstart.prediction import open_model, predict, predict_file
from headstart.report import build, judged, live, wording
from headstart.report import pretraining as telling
from headstart.report.findings import lines as warning_lines
from headstart.text.tokenizer import Tokenizer

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
]

TASK = "classification"  # of the demonstrations
GUESSED = "Task: {}, guessed from the columns; choose another one with --task."
ROOMS = ("contenders", "strategies", "tasks", "trackers")
LISTED = 20  # rejected rows named before a comparison begins
# What a demonstration runs, so that it ends within six minutes on two cores.
DEMOS: Mapping[str, Mapping[str, Value]] = {
    "tweets": {"seeds": 1, "sizes": (150,)},
    "news": {"seeds": 1, "sizes": (100,), "strategies": ("frozen",), "options": {"scratch.window": 128}},
    "hotel": {"seeds": 1, "sizes": (150,), "strategies": ("frozen", "partial"), "backbone": "e5-small"},
}
DEMO_ROWS = {"tweets": 2000, "news": 1000, "hotel": 2000}


@dataclass(frozen=True)
class Comparison:
    """A finished comparison, which shows itself in a notebook.

    result: everything that was measured; see `headstart.core.results.Result`.
    model: the winner's own folder, which later comparisons leave as it is.
    """

    result: Result
    model: Path

    @property
    def verdict(self) -> tuple[str, ...]:
        """Three to five sentences: which to use, and what would change the answer."""
        return wording.verdict_of(self.result)

    @property
    def leaderboard(self) -> list[dict[str, Value]]:
        """One dictionary a contender, best first: score with its 95 % interval (0 to 1), who ties, costs."""
        return [
            {
                "contender": standing.contender,
                "score": standing.score.value,
                "low": standing.score.low,
                "high": standing.score.high,
                "spread": standing.spread,
                "seeds": standing.seeds,
                "ties": standing.ties,
                **vars(standing.cost),
            }
            for standing in self.result.standings
        ]

    @property
    def best(self) -> Fitted:
        """The winner of this comparison, whatever ran since: ``best.predict(texts)``."""
        return open_model(self.model)

    def _repr_html_(self) -> str:
        return build.fragment(self.result)


def compare(
    data: object,
    *,
    task: str | None = None,
    text: str | None = None,
    label: str | None = None,
    encoding: str | None = None,
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
    listener: Callable[[contest.Event], None] | None = None,
) -> Comparison:
    """Train contenders on labelled text under one protocol, and say which to use.

    Leaves ``report.html``, ``result.json`` and the winner's folder ``best`` in `out`. What was trained there before
    on the same data is not trained again, so an interrupted comparison goes on.

    Args:
        data: a file, an ``hf://datasets/`` address, a DataFrame, or a pair of texts and labels.
        task: name of the task, such as 'classification'; None to guess it from the columns and to say so on standard
            error.
        text, label: column names; None to find them.
        encoding: of files that hold text, such as 'cp1252'; None to find out.
        test, validation: rows of one's own, as `data`; None to set 20 % and 10 % of `data` apart.
        unlabelled: texts without labels, a file or a sequence, for contenders that learn from such; those that stand in
            the test rows too are left out.
        contenders, strategies: names as `headstart list` says; None for those of the first choice, 'all' for all.
        backbone: what is fine-tuned: a folder, a packaged model, or ``hf://owner/name[@revision]``. Several, in a list
            or with commas between them, compete under their own names, such as 'finetuned:full@e5-small'.
        options: 'contender.option' or 'strategy.option' -> value, such as ``{"scratch.layers": 4, "lora.rank": 4}``.
        seeds: trainings of each contender.
        sizes: training rows of the learning curve, to which all rows are always added; None for those of
            `contest.plan.learning_sizes`.
        budget: minutes a training may take.
        metric: the score that decides; None for accuracy.
        out: a folder; None for ``runs/`` and the name of the data, or, where that holds another data set, a folder
            beside it, which is then named on standard error.
        track: trackers besides ``metrics.jsonl``, such as 'tensorboard', 'wandb' or 'mlflow', for the steps of every
            Transformer's training; what they write is in ``tracking`` in `out`.
        listener: is told of every trial and its progress; None to show them on standard error.

    Raises:
        UsageError: an unknown name, column, option or device; another process works in `out`, or it holds the
            comparison of another data set.
        DataError: data that cannot be read or divided.
        TrainingError: no contender could be trained.
    """
    tracked = trackers.check(track)
    name = task or _guess(data, encoding)
    rules = tasks.load(name)
    table, splits = splitting.read_and_split(
        data, rules, test, validation, text=text, label=label, encoding=encoding, seed=seed
    )
    rules = replace(rules, text_column=table.text_column)
    audit = auditing.audit(splits, rules)
    planned = plan.plan(
        task=rules,
        train_rows=len(splits.train),
        contenders=contenders or plan.CONTENDERS,
        strategies=strategies or plan.STRATEGIES,
        backbone=backbone,
        options=options,
        sizes=(*(plan.learning_sizes(len(splits.train)) if sizes is None else sizes), "all"),
        seeds=range(seed, seed + seeds),
    )
    texts: tuple[str, ...] = ()
    if unlabelled is not None:
        plan.check_reads_unlabelled(planned.trials)
        texts, finding = corpora.unlabelled(
            unlabelled, all_texts(rules, splits.test.inputs), encoding, table.text_column
        )
        audit = replace(audit, findings=(*audit.findings, finding))
    warn = _warn if listener is None else lambda _: None
    warn((*auditing.reading(table), *audit.findings))
    spoken = language.findings(_open_models(planned.trials), all_texts(rules, splits.train.inputs))
    warn(spoken)
    audit = replace(audit, findings=(*audit.findings, *spoken))
    judged_by, chosen = labels.check(metric or rules.metrics[0]), devices.choose(device)
    if task is None and listener is None:
        say(GUESSED.format(name))
    place = Path(out) if out is not None else None
    with run_folder.opened(place, splits, table.name, say) as folder:
        terms = Terms(folder, judged_by, budget, chosen, texts, tracked)
        with live.Watch(terms.metric, planned.trials) if listener is None else nullcontext(listener) as listen:
            outcome = contest.run(splits, rules, planned.trials, terms, listen)
        skipped = {**planned.skipped, **outcome.failed}
        result = judged.result(name, table, splits, audit, outcome.records, terms, skipped)
        winner = _model_of(rank.winner(result.standings).contender, outcome.models, folder)
        with models.naming_record(winner, terms):
            message = _judge_int8(winner, splits, terms.metric)
        models.announce(winner, terms)
        build.write(result, folder / "report.html")
        write_whole(folder / "result.json", json.dumps(build.as_json(result), indent=1))
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
    """Pretrain a small BERT on one's own text, of any size, and leave it in a folder that Hugging Face opens.

    What it costs is told on standard error before it starts. Killed at any moment, the same call goes on.

    Args:
        files, text, encoding: see `data.corpus.of_files`.
        out: the model's folder, for ``compare(..., backbone=out)``; what was there is replaced.
        size: 'tiny', 'mini', 'small' or 'base'. start: a model to go on from, with its own size and vocabulary.
        vocabulary, byte_level, window, epochs, minutes, next_sentence, whole_words, batch_tokens, learning_rate: see
            `contenders._pretraining.Recipe`.
        work: where tokenised text and checkpoints go; None for a folder beside `out`.
        track: see :func:`compare`; what the trackers write is in ``tracking`` in `work`.

    Returns:
        costs and scores on documents set apart, as in the folder's ``pretraining.json``.

    Raises:
        UsageError: an unknown size, column, model or device, a missing package, or another process works in `work`.
        DataError: text that cannot be read, or fewer than two documents.
    """
    if start:
        header.open_header(start)  # before a corpus is read, which may take hours
    tracked = trackers.check(track)
    out = Path(out)
    beside = out.absolute()  # '.' has no name of its own
    work = Path(work) if work is not None else beside.with_name(f"{beside.name}.work")
    recipe = _pretraining.Recipe(
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
        return _pretraining.pretrain(corpus, recipe, run, out, work, lambda p: watch.say(*telling.planned(p, size)))


def check(
    data: object,
    *,
    task: str | None = None,
    test: object = None,
    validation: object = None,
    text: str | None = None,
    label: str | None = None,
    encoding: str | None = None,
    backbone: str | Sequence[str] = "minilm",
    seed: int = 0,
) -> Audit:
    """Look for duplicates, leakage, contradictions, imbalance and texts too long, and train nothing.

    The rows are divided as :func:`compare` divides them. Args and Raises: as there.
    """
    name = task or _guess(data, encoding)
    rules = tasks.load(name)
    table, splits = splitting.read_and_split(
        data, rules, test, validation, text=text, label=label, encoding=encoding, seed=seed
    )
    if task is None:
        say(GUESSED.format(name))
    audit = auditing.audit(splits, rules)
    return replace(
        audit,
        findings=(
            *auditing.reading(table),
            *audit.findings,
            *windows.findings(all_texts(rules, splits.train.inputs), backbone),
        ),
    )


def demo(
    name: str = "tweets",
    *,
    out: str | Path | None = None,
    listener: Callable[[contest.Event], None] | None = None,
) -> Comparison:
    """Compare contenders on real text that ships inside a package: 'tweets', 'news' or 'hotel' (Chinese reviews).

    Raises:
        UsageError: an unknown name, or a package that is not installed.
    """
    table = demos.demo(name, tasks.load(TASK), DEMO_ROWS.get(name))
    return compare(table, task=TASK, out=out, listener=listener, **DEMOS[name])


def catalogue() -> dict[str, dict[str, str]]:
    """Name all contenders, strategies, tasks and packaged models, each with what it promises."""
    plugins = {room: {name: rooms.promise(room, name) for name in rooms.names(room)} for room in ROOMS}
    return {**plugins, "models": {name: model.description for name, model in hub.PACKAGED.items()}}


def _guess(data: object, encoding: str | None) -> str:
    """Return the name of the task that the data is for."""

    def columns() -> tuple[str, ...]:
        return (data.text_column, str(data.label_column)) if isinstance(data, Table) else read_columns(data, encoding)

    return tasks.guess(columns)


def _model_of(contender: str, models: Mapping[str, Path], folder: Path) -> Path:
    """Return the folder of a contender's model.

    Raises:
        CheckpointError: the model was deleted, though the record of its training is there.
    """
    if contender not in models:
        raise CheckpointError(
            f"'{folder}' has records of '{contender}' but its model was deleted; compare again with another --out."
        )
    return models[contender]


def _warn(findings: Iterable[Finding]) -> None:
    """Print the warnings among findings on standard error."""
    for line in warning_lines([finding for finding in findings if finding.severity == "warning"], LISTED):
        say(line)


def _open_models(trials: Sequence[Trial]) -> dict[str, Tokenizer]:
    """Open the backbones and teachers of a comparison, so that one that is damaged ends it now, not after an hour.

    Returns:
        the tokenizers of the backbones that are fine-tuned.

    Raises:
        UsageError, CheckpointError: one cannot be opened.
    """
    opened = {}
    everything = itertools.chain.from_iterable((trial, *trial.members) for trial in trials)
    for backbone in dict.fromkeys(trial.options["backbone"] for trial in everything if "strategy" in trial.options):
        opened[backbone] = header.open_header(backbone).tokenizer
    teachers = {trial.options.get("teacher", "none") for trial in trials if not trial.members} - {"none"}
    for teacher in sorted(teachers):
        folder = hub.find(teacher)
        if manifest.there(folder):  # a model saved here need not be a Transformer
            manifest.verify(folder)
        else:
            header.open_header(teacher)
    return opened


def _judge_int8(model: Path, splits: Splits, metric: str) -> str:
    """Try the winner's 8-bit version on the validation texts; return what is to be said, '' where it has none."""
    try:
        agreement = eight_bits.judge(model, splits.validation, metric)
    except UsageError as error:
        return str(error)
    return agreement.sentence if agreement else ""
