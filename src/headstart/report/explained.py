"""Explanations on a page: words in colour with a sign, words by class, shared mistakes, and the methods' figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from headstart.core.contracts import Kind, Value
from headstart.core.files import make_folder, write_whole
from headstart.core.results import Interval
from headstart.explain.explanation import Explanation, Word
from headstart.explain.faithfulness import Faithfulness
from headstart.explain.overview import Example, Overview
from headstart.report import _format as form
from headstart.report import attention

STEPS = 4  # of a colour
MARKED = 0.2  # of the largest attribution, from which on a word has its number beside it
WEAK = 0.05  # below which it has no colour
UNITS: Mapping[Kind, str] = {
    "label": "in units of the logit of the class, minus the mean of the other classes'",
    "labels": "in units of the label's log odds",
    "number": "in units of the number",
    "facts": "in units of the logits of the fact's tags, minus the means of the other tags'",
    "text": "in units of the logits of its first and last token",
}
GROUPS: Mapping[Kind, str] = {"label": "class", "labels": "label", "number": "direction", "facts": "type", "text": ""}
CAUTION = (
    "An attribution says what this model used, not what is true, and words that act only together share it somehow."
)
MEASURE = (
    "Comprehensiveness: how much the probability of the answer falls without the 1, 5, 10, 20 and 50 % of the words "
    "that count most (mean); the same for words in random order is subtracted in the second column. Sufficiency: how "
    "much it falls with these words alone. Words are deleted from the text. With 95 % intervals over {rows} rows."
)
MEASURE_NUMBER = " Of numbers it is the absolute change, in units of the training rows' spread."


def view(overview: Overview) -> dict[str, Any]:
    """Turn an overview into the words and numbers on the page; nothing is escaped yet, the template does that."""
    measured = overview.measured
    rows = measured[0].rows if measured else 0
    answers = f"What the model's answers to {form.plural(overview.rows, 'row')} rest on"
    return {
        "sentence": f"{answers}, by {overview.choice.sentence}.",
        "unit": UNITS[overview.kind],
        "caution": CAUTION,
        "examples": [_example(each) for each in overview.examples],
        "group": GROUPS[overview.kind],
        "pushes": [
            (name, [{"word": each.word, "mean": f"{each.mean:+.2f}", "rows": each.rows} for each in words])
            for name, words in overview.pushes.items()
        ],
        "shared": [{"word": each.word, "mistakes": len(each.mistakes), "rows": each.rows} for each in overview.shared],
        "attention": None if overview.attention is None else attention.view(overview.attention),
        "measured": [_measured(each) for each in measured],
        "measure": MEASURE.format(rows=rows) + (MEASURE_NUMBER if overview.kind == "number" else ""),
    }


def page(overview: Overview, title: str) -> str:
    """Build one HTML page that loads no other resource and escapes all text from the data."""
    from headstart.report.build import environment

    return environment().get_template("explained.html").render(explained=view(overview), title=title)


def write(overview: Overview, title: str, path: Path) -> None:
    """Write the page to a file atomically."""
    make_folder(path.parent)
    write_whole(path, page(overview, title))


def lines(measured: Sequence[Faithfulness]) -> list[str]:
    """Return the figures of the methods for a terminal, a line each."""
    return [
        f"{line['method']:<20}  comprehensiveness {line['comprehensiveness']}, {line['above_random']} above random "
        f"order; sufficiency {line['sufficiency']}; {line['milliseconds']} ms per row"
        for line in map(_measured, measured)
    ]


def _measured(each: Faithfulness) -> dict[str, str]:
    return {
        "method": each.method,
        "comprehensiveness": _interval(each.comprehensiveness),
        "above_random": _interval(each.above_random),
        "sufficiency": _interval(each.sufficiency),
        "milliseconds": f"{each.milliseconds:.3g}",
    }


def _interval(each: Interval) -> str:
    return f"{each.value:.3f} ({each.low:.3f} to {each.high:.3f})"


def _example(example: Example) -> dict[str, Any]:
    each = example.explanation
    sure = "" if isinstance(each.value, float) else f"{100 * each.confidence:.0f} %"
    return {
        "name": form.shorten(each.name),
        "note": ", ".join(filter(None, (sure, f"wrong: it is {_written(example.target)}" if example.wrong else ""))),
        "sources": [_parts(each, number) for number in range(len(each.texts))],
    }


def _written(target: Value) -> str:
    if isinstance(target, str):
        return form.shorten(target)
    if not target:
        return "none"
    names = [each if isinstance(each, str) else " ".join(map(str, each)) for each in target]
    return form.shorten(", ".join(names))


def _parts(each: Explanation, source: int) -> list[dict[str, str]]:
    """Divide a text into words with their style, and what is between them."""
    largest = max(abs(word.attribution) for word in each.words)
    text, place, parts = each.texts[source], 0, []
    for word in each.words:
        if word.source == source:
            parts += [{"text": text[place : word.start], "style": ""}, _word(word, largest)]
            place = word.end
    return [part for part in (*parts, {"text": text[place:], "style": ""}) if part["text"]]


def _word(word: Word, largest: float) -> dict[str, str]:
    part = word.attribution / largest if largest else 0.0
    styles = ["answer"] if word.answer else []
    if abs(part) >= WEAK:
        styles.append(f"{'for' if part > 0 else 'against'}-{min(STEPS, 1 + int(abs(part) * STEPS))}")
    number = f"{word.attribution:+.2f}".replace("-", "\N{MINUS SIGN}")
    return {
        "text": word.text,
        "style": " ".join(styles),
        "title": number if styles else "",
        "mark": number if abs(part) >= MARKED else "",
    }
