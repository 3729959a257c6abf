"""How numbers and texts from the data are written: digits, units and cleaning; for scores see `metrics.format`."""

from __future__ import annotations

import math
import unicodedata

from headstart.core.errors import visible
from headstart.core.records import Cost

HARMLESS = "\n\t\u200c\u200d\xad"  # of what has no shape: line ends, joiners, soft hyphen


def count(number: float) -> str:
    """Write a whole number with thousands separators.

    >>> count(1600)
    '1,600'
    """
    return f"{round(number):,}"


def about(number: float) -> str:
    """Write an estimate with two significant figures, since it is not more precise.

    >>> about(8963), about(87.4), about(3)
    ('9,000', '87', '3')
    """
    if number < 1:
        return "1"
    digits = math.floor(math.log10(number)) - 1
    return count(round(number / 10**digits) * 10**digits) if digits > 0 else count(number)


def plural(number: int, noun: str) -> str:
    """Write a count with its noun.

    >>> plural(1, "row"), plural(1600, "row")
    ('1 row', '1,600 rows')
    """
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"


def percent(share: float) -> str:
    """Write a share (0 to 1) as a percentage with one decimal, or NaN as a dash.

    >>> percent(0.9123), percent(float("nan"))
    ('91.2 %', '–')
    """
    return "–" if math.isnan(share) else f"{100 * share:.1f} %"


def duration(seconds: float) -> str:
    """Write a time with two significant figures.

    >>> duration(0.004), duration(3.21), duration(14.4), duration(126), duration(5000), duration(1e6)
    ('< 0.1 s', '3.2 s', '14 s', '2.1 min', '1.4 h', '12 days')
    """
    if seconds < 0.05:
        return "< 0.1 s"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    if seconds < 3570:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 2 * 86_400 else f"{seconds / 86_400:.0f} days"


def milliseconds(value: float) -> str:
    """Write a latency given in milliseconds.

    >>> milliseconds(0.001), milliseconds(0.034), milliseconds(3.21), milliseconds(14.4), milliseconds(1234)
    ('< 0.01 ms', '0.03 ms', '3.2 ms', '14 ms', '1.2 s')
    """
    if value < 0.005:
        return "< 0.01 ms"
    if value < 0.095:
        return f"{value:.2f} ms"
    if value < 9.95:
        return f"{value:.1f} ms"
    return f"{value:.0f} ms" if value < 999.5 else f"{value / 1000:.1f} s"


def size(number_of_bytes: float) -> str:
    """Write a size in decimal units.

    >>> size(812), size(4_240_000), size(87_000_000), size(1_240_000_000)
    ('812 B', '4.2 MB', '87 MB', '1.2 GB')
    """
    return _scaled(number_of_bytes, ("B", "kB", "MB", "GB", "TB"))


def parameters(number_of_parameters: float) -> str:
    """Write a number of parameters.

    >>> parameters(0), parameters(1_043_210), parameters(22_713_216)
    ('0', '1.0 M', '23 M')
    """
    return _scaled(number_of_parameters, ("", "k", "M", "B")).strip()


def _scaled(value: float, units: tuple[str, ...]) -> str:
    power = 0
    while value >= 999.5 and power < len(units) - 1:
        value, power = value / 1000, power + 1
    return f"{value:.1f} {units[power]}" if power and value < 9.95 else f"{value:.0f} {units[power]}"


def ratio(value: float) -> str:
    """Write a ratio as a number of times.

    >>> ratio(1.44), ratio(14.2), ratio(1234)
    ('1.4 times', '14 times', '1,200 times')
    """
    return f"{value:.1f} times" if value < 9.95 else f"{about(value)} times"


def joined(words: list[str] | tuple[str, ...]) -> str:
    """Join words with commas and a final 'and'.

    >>> joined(["a"]), joined(["a", "b"]), joined(["a", "b", "c"])
    ('a', 'a and b', 'a, b and c')
    """
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def clean(text: str) -> str:
    r"""Make a text from the data safe in a page: as `core.errors.visible`, but letters of all scripts stay.

    HTML forbids NUL, and direction overrides would reach beyond the text that holds them.

    >>> clean("a\x1b[31mb\x00\ud800\u202e")
    'a\\x1b[31mb\\x00\\ud800\\u202e'
    """
    if text.isprintable():
        return text
    return "".join(letter if _harmless(letter) else visible(letter) for letter in text)


def _harmless(letter: str) -> bool:
    """Tell spaces, new letters, and what joins or parts letters of Persian, Indic scripts and emoji."""
    return letter in HARMLESS or unicodedata.category(letter) in ("Zs", "Co", "Cn")


def shorten(text: str, limit: int = 600) -> str:
    """Truncate a long text and add its length.

    >>> shorten("x" * 1000, limit=5)
    'xxxxx … (1,000 characters)'
    """
    return text if len(text) <= limit else f"{text[:limit]} … ({count(len(text))} characters)"


def savings(cost: Cost, other: Cost) -> str:
    """Word how the costs of one contender compare with another's, leaving out those that are about the same."""
    parts = [
        _times(other.latency_p50, cost.latency_p50, "predicts {} faster", "predicts {} slower"),
        _times(other.disk_bytes, cost.disk_bytes, "is {} smaller", "is {} larger"),
        _times(other.train_seconds, cost.train_seconds, "trains {} faster", "takes {} longer to train"),
    ]
    return joined([part for part in parts if part]) or "costs about the same"


def _times(other: float, own: float, less: str, more: str) -> str:
    factor = max(other, 1e-9) / max(own, 1e-9)
    if factor >= 1.2:
        return less.format(ratio(factor))
    return more.format(ratio(1 / factor)) if factor <= 1 / 1.2 else ""
