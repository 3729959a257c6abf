"""The model card of the winner: ``best/README.md``, with the metadata that the Hugging Face hub reads.

It describes the saved model itself, and quotes no text of the data. Names from the data, such as those of classes, are
escaped, so that they can break neither YAML nor Markdown.
"""

from __future__ import annotations

import importlib.metadata
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from headstart.checkpoints import manifest
from headstart.checkpoints.origin import Origin, origin
from headstart.contest.rank import full_size, winner
from headstart.contest.trials import all_sources
from headstart.core.contracts import Kind, Value
from headstart.core.errors import shown, visible
from headstart.core.records import Record
from headstart.core.results import Interval, Result, deciding
from headstart.core.tally import named
from headstart.metrics import format as form
from headstart.metrics import stats
from headstart.report import _format as write
from headstart.report import stress, wording
from headstart.report._view import against_best

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

# Findings that are published: none of their sentences names a row, a group or a file.
PUBLISHED = (
    "leakage",
    "side-leakage",
    "column-leak",
    "conflicts",
    "duplicates",
    "near-duplicates",
    "imbalance",
    "unseen-labels",
    "unmeasured-classes",
    "small-classes",
    "truncation",
    "language",
    "collapsed",
    "rejected",
)
ALWAYS = ("leakage", "truncation")  # also if nothing was found
MOST_CLASSES = 50
# The hub's names of metrics; others are written in lower case with underscores.
METRICS: Mapping[str, str] = {
    "macro-F1": "f1",
    "micro-F1": "f1",
    "weighted-F1": "f1",
    "directed-macro-F1": "f1",
    "token F1": "f1",
    "exact match": "exact_match",
    "MCC": "matthews_correlation",
    "R2": "r_squared",
    "Pearson": "pearsonr",
    "Spearman": "spearmanr",
}
# The hub's name of the task for each kind of answer.
PIPELINES: Mapping[Kind, str] = {
    "label": "text-classification",
    "labels": "text-classification",
    "number": "text-classification",
    "facts": "token-classification",
    "text": "text-generation",
}
# Tasks whose inputs and outputs other libraries read as they are.
PLAIN = ("classification", "multilabel", "regression", "pairs", "pair-regression")
TEXTS = {"qa": "question-answering", "translation": "translation"}
# What predictions need besides the outputs of the network.
DECODED: Mapping[Kind, str] = {
    "label": "",
    "labels": "Each label has its own threshold, which is in `headstart.json`.",
    "number": "The output is a number on the scale of the training targets.",
    "facts": "Headstart divides texts into words and windows and decodes tags under their rules: use its `predict`.",
    "text": "Headstart turns inputs into tokens and outputs into texts in its own way: use its `predict`.",
}
SENTENCES = "sentence-transformers"
SPECIAL = re.compile(r"([\\`*_\[\]<>|~&$#!])")


def text(result: Result, model: Path, best: Path) -> str:
    """Return the card of the winner's model.

    Args:
        result: the comparison.
        model: the folder that the contest stored the model in, named after its trial.
        best: a folder with all its files.
    """
    team = full_size(result.records)[winner(result.standings).contender]
    own = next((record for record in team if Path(record.path).stem == model.name), team[0])
    figures = _figures(result, own)
    origins = [origin(source) for source in all_sources([own.trial])]
    return f"---\n{_metadata(result, best, own, figures, origins)}\n---\n\n{_body(result, best, own, figures, origins)}"


def prose(value: str) -> str:
    """Escape a text so that Markdown and HTML show it as it is, on one line.

    >>> print(prose("a <b>*c*</b>\\n# d https://e.org"))
    a \\<b\\>\\*c\\*\\</b\\> \\# d https\\://e.org
    """
    return SPECIAL.sub(r"\\\1", visible(" ".join(value.split()))).replace("://", "\\://").replace("www.", "www\\.")


def _figures(result: Result, own: Record) -> dict[str, Interval]:
    """Score one model with every metric of its task, with intervals over test rows."""
    test = result.splits.test
    tally = result.rules.tally(own.predictions, test.targets)
    first = deciding(result)
    metrics = [first, *(metric for metric in result.rules.metrics if metric is not first)]
    return {metric.name: stats.interval([tally], metric, groups=stats.group_numbers(test)) for metric in metrics}


# --- metadata ------------------------------------------------------------------------------------------------


def _metadata(
    result: Result, best: Path, own: Record, figures: Mapping[str, Interval], origins: Sequence[Origin]
) -> str:
    from huggingface_hub import ModelCardData

    pages = [one.page for one in origins if one.page]
    languages = {one.language for one in origins}
    name = visible(result.table.name)
    hub_data = name.removeprefix("hf://datasets/").split("@")[0] if name.startswith("hf://datasets/") else ""
    # Without an address on the hub, the data has no name that the hub knows.
    dataset = hub_data or re.sub(r"[^a-z0-9]+", "-", Path(name).stem.lower()).strip("-") or "private"
    evaluated = [
        _evaluated(result, own, dataset, metric, interval)
        for metric, interval in figures.items()
        if math.isfinite(interval.value)
    ]
    data = ModelCardData(
        language=languages.pop() if len(languages) == 1 and "" not in languages else None,
        license=_licence(origins) or "unknown",
        library_name=_library(result, best),
        pipeline_tag=_pipeline(result),
        base_model=pages[0] if len(pages) == 1 else pages or None,
        datasets=[hub_data] if hub_data else None,
        metrics=sorted({one.metric_type for one in evaluated}),
        tags=["headstart", visible(own.trial.contender)],
        model_name=visible(result.name) or "model",
        eval_results=evaluated or None,
        ignore_metadata_errors=False,
    )
    return data.to_yaml().strip()


def _evaluated(result: Result, own: Record, dataset: str, metric: str, interval: Interval) -> EvalResult:
    from huggingface_hub import EvalResult

    bounds = {"confidence_level": 0.95, "low": round(interval.low, 6), "high": round(interval.high, 6)}
    return EvalResult(
        task_type=_pipeline(result),
        task_name=result.task,
        dataset_type=dataset,
        dataset_name=visible(result.table.name),
        dataset_split="test",
        dataset_args={"rows": len(result.splits.test), "sha256_of_the_split": result.splits.sha256},
        metric_type=METRICS.get(metric, re.sub(r"\W+", "_", metric).lower()),
        metric_name=metric,
        metric_value=round(interval.value, 6),
        metric_args={**bounds, "training_seed": own.trial.seed},
        verified=False,
    )


def _pipeline(result: Result) -> str:
    return TEXTS.get(result.task, PIPELINES[result.rules.kind])


def _licence(origins: Sequence[Origin]) -> str:
    """Return the licence that all models that were read have; '' if it is unknown or they differ."""
    licences = {one.licence for one in origins}
    return licences.pop() if len(licences) == 1 else ""


def _library(result: Result, best: Path) -> str:
    if result.task == "relation":  # its classifier reads two states, which no class of transformers does
        return "headstart"
    if _opens_as(best) == SENTENCES:
        return SENTENCES
    return "transformers" if _opens_as(best) else "headstart"


def _opens_as(best: Path) -> str:
    """Return the auto class of transformers that opens a folder with equal outputs, or the library that does."""
    if any((best / name).is_file() for name in ("adapter.safetensors", "columns.safetensors")):
        return ""
    if (best / "modules.json").is_file():
        return SENTENCES
    if not (best / "config.json").is_file():
        return ""
    suffix = re.search(r"For\w+?(?=\")", (best / "config.json").read_text(encoding="utf-8"))
    return f"AutoModel{suffix[0]}" if suffix else ""


# --- text ----------------------------------------------------------------------------------------------------


def _body(result: Result, best: Path, own: Record, figures: Mapping[str, Interval], origins: Sequence[Origin]) -> str:
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("headstart.report", "."),
        autoescape=False,  # of HTML alone; `finalize` escapes every text that is not marked as safe
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=lambda value: prose(value) if type(value) is str else value,
    )
    leader, metric = winner(result.standings), deciding(result)
    opens_as, example = _opens_as(best), _example(result)
    own_texts = isinstance(example, str) or (isinstance(example, tuple) and all(type(one) is str for one in example))
    elsewhere = own_texts and result.task in PLAIN
    card = environment.get_template("card.md").render(
        name=result.name,
        summary=_summary(result, own, best),
        version=importlib.metadata.version("headstart"),
        test=write.plural(len(result.splits.test), "test row"),
        resampled="groups of rows" if result.splits.test.groups else "rows",
        mean=f"mean of {write.plural(leader.seeds, 'training')}" if leader.seeds > 1 else "",
        figures=[_figure(result, name, interval) for name, interval in figures.items()],
        clean=form.plus_minus(metric, leader.clean) if leader.clean else "",
        metric=metric.name,
        board=[
            {
                "contender": standing.contender,
                "score": form.plus_minus(metric, standing.score),
                "standing": against_best(standing, result.standings, metric),
            }
            for standing in result.standings
        ],
        verdict=wording.verdict_of(result),
        facts=_facts(result, own),
        findings=[
            finding.sentence
            for finding in result.audit.findings
            if finding.kind in PUBLISHED and (finding.severity != "fine" or finding.kind in ALWAYS)
        ],
        stress=_stress(result),
        stress_note=stress.note(result.stress) if result.stress is not None else "",
        licence=_licence_sentence(origins),
        built_on=[
            f"{one.name}{f' ({one.page})' if one.page else ''}: {one.licence or 'licence unknown'}; "
            f"SHA-256 of its content {own.built_on.get(source) or 'unknown'}"
            for source, one in zip(all_sources([own.trial]), origins, strict=True)
        ],
        limits=_limits(result, own, best),
        example=Markup(visible(repr(example))),
        sentences=elsewhere and opens_as == SENTENCES,
        auto=Markup(opens_as) if elsewhere and opens_as != SENTENCES else "",
        arguments=Markup(", ".join(map(repr, (example,) if isinstance(example, str) else example))),
        decoded=DECODED[result.rules.kind],
        note=Markup((best / manifest.CARD).read_text(encoding="utf-8")) if (best / manifest.CARD).is_file() else "",
    )
    return re.sub(r"\n{3,}", "\n\n", card).strip() + "\n"


def _example(result: Result) -> Value:
    """Return an input of the task, none of the data."""
    sample = result.rules.SAMPLE[0][0] if result.rules.SAMPLE else "A text."
    names = result.rules.tabular.names
    return {"text": sample, "columns": dict.fromkeys(names)} if names else sample


def _summary(result: Result, own: Record, best: Path) -> str:
    classes = manifest.read(best).fields.get("classes") or ()
    listed = ", ".join(map(shown, classes[:MOST_CLASSES])) + (", ..." if len(classes) > MOST_CLASSES else "")
    of = f", with the {write.count(len(classes))} classes {listed}" if classes else ""
    return f"A model for the task {result.task}{of}: {own.trial.contender}, training seed {own.trial.seed}."


def _figure(result: Result, name: str, own: Interval) -> dict[str, str]:
    metric, leader = named(result.rules.metrics, name), winner(result.standings)
    mean = form.score(metric, leader.scores[name], own) if name in leader.scores else "–"
    if name == result.metric:
        mean = f"{form.score(metric, leader.score.value, leader.score)} ({form.between(metric, leader.score)})"
    return {
        "metric": form.heading(metric),
        "own": f"{form.score(metric, own.value, own)} ({form.between(metric, own)})",
        "mean": mean,
    }


def _facts(result: Result, own: Record) -> list[tuple[str, str]]:
    table, splits = result.table, result.splits
    sizes = [len(part) for part in (splits.train, splits.validation, splits.test)]
    if sum(sizes) != len(table.rows):
        division = "test or validation rows were given in a file of their own"
    elif table.time_column is not None:
        division = "divided by time: trained on the past, tested on the future"
    elif table.group_column is not None:
        division = "divided at random, the rows of a group in one part"
    else:
        division = "divided at random with equal shares of each class where there are classes, copies in one part"
    machine = own.machine
    return [
        ("Data", f"{table.name}, SHA-256 {table.sha256}"),
        (
            "Rows",
            f"{write.count(sizes[0])} training, {write.count(sizes[1])} validation and {write.count(sizes[2])} test "
            f"rows, {division}; SHA-256 of the split {splits.sha256}",
        ),
        (
            "Protocol",
            "all contenders share the split, the seeds and the limits; of several trainings of a contender the model "
            "with the best validation score is stored; the best contender is chosen by its test score, for which the "
            "tests against the others are corrected",
        ),
        ("Training", f"{write.duration(own.cost.train_seconds)}, {write.parameters(own.cost.parameters)} weights"),
        (
            "Prediction",
            f"{write.milliseconds(own.cost.latency_p50)} for one text on "
            f"{machine.get('processor') or machine.get('system') or 'an unknown machine'}",
        ),
        ("Made", f"{own.made}, Headstart's commit {own.commit or 'unknown: outside a checkout'}"),
    ]


def _stress(result: Result) -> list[dict[str, str]]:
    """Word what each transformation of the test rows does to the winner; nothing if that was not measured."""
    metric, leader = deciding(result), winner(result.standings).contender
    return [
        {
            "name": score.transformation,
            "changed": write.count(score.changed),
            "after": form.score(metric, score.after) if score.after is not None else "–",
            "loss": form.signed(metric, score.loss) if score.loss is not None else "–",
        }
        for score in (result.stress.scores if result.stress is not None else ())
        if score.contender == leader
    ]


def _licence_sentence(origins: Sequence[Origin]) -> str:
    if not origins:
        return "The model was trained without a pretrained one. No licence was chosen; that is up to whoever owns it."
    if licence := _licence(origins):
        return f"The pretrained weights have the licence {licence}; the training data may restrict it further."
    return "The licence is unknown or differs between the models that were read: check each before passing this one on."


def _limits(result: Result, own: Record, best: Path) -> list[str]:
    limits = ["The figures hold for texts like the test rows. Other sources, times and languages were not measured."]
    if result.stress is None:
        limits.append("What typos, capitals and the like do to it was not measured; headstart stress measures that.")
    if result.by is not None:
        limits.append(
            f"Scores for each value of {shown(result.by.column)} are in the report of the comparison, not here."
        )
    if own.cost.cut_off > 0:
        limits.append(
            f"Texts longer than its window are truncated: {100 * own.cost.cut_off:.1f} % of the tokens of the test "
            "rows were not read."
        )
    if own.collapsed:
        limits.append("The training collapsed: the model learnt nothing beyond the shares of the classes.")
    if (best / "n_grams.json").is_file() or (best / "vocab.txt").is_file():
        limits.append(
            "The folder holds words of the training texts or of the pretrained model's vocabulary; check them before "
            "publishing a model of private texts."
        )
    if own.calibration.get("ece") is not None:
        limits.append(
            f"Its probabilities deviate from observed shares by {100 * own.calibration['ece']:.1f} points on average."
        )
    return limits
