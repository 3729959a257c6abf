"""Explanations in a terminal, readable without colour."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from headstart.core.errors import visible
from headstart.explain.explanation import Explanation, Word
from headstart.explain.overview import Overview

MOST = 5  # words that are listed for and against an answer
STRONG = 0.5  # of the largest attribution, from which on a word is bold
WEAK = 0.1  # below which it has no colour


def show(explanations: Sequence[Explanation], console: Console) -> None:
    """Print each explanation: the answer, the texts with their words in colour, and the words that count most."""
    for each in explanations:
        console.print(_head(each))
        for number, text in enumerate(each.texts):
            console.print(_coloured(text, [word for word in each.words if word.source == number], _largest(each)))
        against = sorted((word for word in each.words if word.attribution < 0), key=lambda word: word.attribution)
        for name, listed in (("for it", each.top), ("against it", against)):
            if listed:
                words = "  ".join(f"{visible(word.text)} {word.attribution:+.2f}" for word in listed[:MOST])
                console.print(Text.assemble((f"  {name}: ", "dim"), words))
        console.print()


def show_words(overview: Overview, console: Console) -> None:
    """Print the words that speak for each class, and those that mistakes share."""
    for name, words in overview.pushes.items():
        listed = "  ".join(f"{visible(each.word)} {each.mean:+.2f}" for each in words)
        console.print(Text.assemble((f"for {visible(name)}: ", "bold"), listed))
    for group in overview.shared:
        count = f"{len(group.mistakes)} mistakes in {group.rows} rows with the word "
        console.print(Text.assemble((count, "dim"), visible(group.word)))
    console.print()


def _head(each: Explanation) -> Text:
    sure = "" if isinstance(each.value, float) else f"  {100 * each.confidence:.0f} %"
    return Text.assemble((visible(each.name), "bold"), sure, (f"  {each.method}", "dim"))


def _coloured(text: str, words: Sequence[Word], largest: float) -> Text:
    """Colour the words of a text: blue for the answer, yellow against it; a word of the answer itself is underlined."""
    shown = Text()
    place = 0
    for word in words:
        shown.append(visible(text[place : word.start], unchanged="\n"))
        place = word.end
        part = word.attribution / largest if largest else 0.0
        colour = "" if abs(part) < WEAK else "blue" if part > 0 else "yellow"
        style = " ".join(("bold" if abs(part) >= STRONG else "", colour, "underline" if word.answer else "")).strip()
        shown.append(visible(word.text), style=style)
    shown.append(visible(text[place:], unchanged="\n"))
    return shown


def _largest(each: Explanation) -> float:
    return max(abs(word.attribution) for word in each.words)
