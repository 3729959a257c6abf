"""How scores are written: the one place that knows a metric's unit, its digits, and whether lower is better.

A share (unit '%') is written times 100 with one decimal. Any other value has as many decimals as its 95 % interval
supports: two significant figures of half its width; without an interval, three significant figures of its own.
"""

from __future__ import annotations

import math

from headstart.core.results import Interval
from headstart.core.tally import Metric

LOWER = "↓"  # follows the name of a metric of which lower is better
_MOST_DECIMALS = 9


def heading(metric: Metric) -> str:
    """Write a metric's name for the head of a column, with an arrow if lower is better.

    >>> heading(Metric("RMSE", lambda sums: sums[..., 0], higher=False, unit=""))
    'RMSE ↓'
    """
    return metric.name if metric.higher else f"{metric.name} {LOWER}"


def half_width(interval: Interval) -> float:
    """Return half the width of an interval: the number after the ± sign."""
    return (interval.high - interval.low) / 2


def number(metric: Metric, value: float, fit: Interval | None = None) -> str:
    """Write a value without its unit, or NaN as a dash.

    Args:
        metric: the score.
        value: of this metric, or a difference of two.
        fit: its interval, or that of the value it is shown with, which decides on the decimals.

    >>> share, error = Metric("F1", abs), Metric("RMSE", abs, higher=False, unit="")
    >>> number(share, 0.9123), number(error, 0.41234), number(error, 0.41234, Interval(0.41, 0.36, 0.46))
    ('91.2', '0.412', '0.412')
    >>> number(error, 12345.6), number(error, 12345.6, Interval(12345.6, 11000.0, 13000.0)), number(error, 0.0)
    ('12,346', '12,346', '0')
    """
    if not math.isfinite(value):
        return "–"
    if metric.unit == "%":
        return f"{100 * value:.1f}"
    return f"{value:,.{_decimals(value, fit)}f}"


def score(metric: Metric, value: float, fit: Interval | None = None) -> str:
    """Write a value with its unit.

    >>> score(Metric("F1", abs), 0.9123), score(Metric("MAE", abs, unit="min"), 3.14159)
    ('91.2 %', '3.14 min')
    """
    return _with_unit(metric, number(metric, value, fit))


def plus_minus(metric: Metric, interval: Interval) -> str:
    """Write a score with half the width of its 95 % interval.

    >>> plus_minus(Metric("F1", abs), Interval(0.912, 0.901, 0.923))
    '91.2 ± 1.1 %'
    >>> plus_minus(Metric("RMSE", abs, unit=""), Interval(0.41234, 0.39, 0.43))
    '0.412 ± 0.020'
    """
    half = number(metric, half_width(interval), interval)
    return _with_unit(metric, f"{number(metric, interval.value, interval)} ± {half}")


def between(metric: Metric, interval: Interval) -> str:
    """Write the two ends of a 95 % interval.

    >>> between(Metric("F1", abs), Interval(0.912, 0.901, 0.923))
    '90.1 to 92.3 %'
    """
    return _with_unit(metric, f"{number(metric, interval.low, interval)} to {number(metric, interval.high, interval)}")


def difference(metric: Metric, value: float, fit: Interval | None = None) -> str:
    """Write the size of a difference between two scores; that of two shares in percentage points.

    >>> difference(Metric("F1", abs), -0.0421), difference(Metric("F1", abs), 0.01)
    ('4.2 points', '1.0 point')
    >>> difference(Metric("RMSE", abs, unit=""), -0.0421)
    '0.0421'
    """
    text = number(metric, abs(value), fit)
    if metric.unit == "%":
        return f"{text} {'point' if text == '1.0' else 'points'}"
    return _with_unit(metric, text)


def ends(metric: Metric, interval: Interval) -> str:
    """Write the two ends of a difference's 95 % interval, without a unit.

    >>> ends(Metric("F1", abs), Interval(0.02, 0.01, 0.03))
    '1.0 to 3.0'
    """
    return f"{number(metric, interval.low, interval)} to {number(metric, interval.high, interval)}"


def signed(metric: Metric, interval: Interval) -> str:
    """Write a signed difference of two scores, with the two ends of its interval.

    >>> signed(Metric("F1", abs), Interval(0.0241, 0.0102, 0.0383))
    '+2.4 (+1.0 to +3.8)'
    >>> signed(Metric("RMSE", abs, unit=""), Interval(-0.05, -0.061, -0.04))
    '-0.050 (-0.061 to -0.040)'
    """
    value, low, high = (_signed(metric, part, interval) for part in (interval.value, interval.low, interval.high))
    return f"{value} ({low} to {high})"


def whole(metric: Metric, value: float) -> float:
    """Return what a small change of a score is small against.

    Shares and coefficients end at 1, so that a change of 0.005 is small whatever the score. An error has the unit of
    the targets, so that only its own size can be used.

    >>> whole(Metric("F1", abs), 0.2), whole(Metric("RMSE", abs, higher=False, unit=""), 35.0)
    (1.0, 35.0)
    """
    return 1.0 if metric.higher else abs(value)


def _signed(metric: Metric, value: float, fit: Interval) -> str:
    text = number(metric, value, fit)
    return text if text.startswith(("-", "–")) else f"+{text}"


def _with_unit(metric: Metric, text: str) -> str:
    return f"{text} {metric.unit}" if metric.unit and text != "–" else text


def _decimals(value: float, fit: Interval | None) -> int:
    """Return the number of decimals of a value that is not a share."""
    half = half_width(fit) if fit is not None else 0.0
    shown, figures = (half, 2) if half > 0 and math.isfinite(half) else (abs(value), 3)
    if not shown:
        return 0
    return min(max(figures - 1 - math.floor(math.log10(shown)), 0), _MOST_DECIMALS)
