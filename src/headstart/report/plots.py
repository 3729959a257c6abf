"""The figures of the report, each an inline SVG element: learning curves, score over cost, calibration."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart.core.results import CurvePoint, Equivalent, Standing
from headstart.core.tally import Metric
from headstart.report import _values
from headstart.report._format import about, count
from headstart.report._svg import FAINT, GREY, INK, PAPER, PLACEHOLDERS, svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# A figure of errors shows at most so many dots, and of more rows so many groups of equally many.
MOST_DOTS, GROUPS = 500, 16
# A curve of accuracy by coverage begins at this share of the texts, and has at most so many points.
LEAST_COVERAGE, MOST_POINTS = 0.05, 150
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "p")
LINES = ("-", (0, (6, 2)), (0, (2, 1.5)), (0, (6, 2, 1.5, 2)), (0, (1, 1)), (0, (9, 3)), "-", (0, (3, 2)))
TICKS = {
    "latency": tuple((10.0**p, f"{10.0**p:g} ms" if p < 3 else f"{10.0 ** (p - 3):g} s") for p in range(-3, 6)),
    "training": (
        *((10.0**p, f"{10.0**p:g} s") for p in range(-2, 2)),
        (60.0, "1 min"),
        (600.0, "10 min"),
        (3600.0, "1 h"),
        (36000.0, "10 h"),
    ),
}
Box = tuple[float, float, float, float]


def learning_curves(
    points: Sequence[CurvePoint],
    order: Sequence[str],
    metric: Metric,
    arrow: Equivalent | None = None,
    narrow: bool = False,
) -> str:
    """Draw the score over the number of training rows on a log scale, with a band for the seeds.

    Args:
        points: the points of all learning curves.
        order: contenders in the leaderboard's order, which decides their colours.
        metric: the score.
        arrow: a label equivalent with an estimate, drawn as an arrow from the reference's size to the rival's.
        narrow: draw for a phone, with two thirds of the width and the same font size.
    """

    def draw(axes: Axes) -> None:
        ends = []
        for contender in order:
            line = sorted((p for p in points if p.contender == contender), key=lambda p: p.size)
            if not line:
                continue
            look, sizes = _look(contender, order), [p.size for p in line]
            axes.fill_between(
                sizes, [p.low for p in line], [p.high for p in line], color=look["color"], alpha=0.13, lw=0
            )
            axes.plot(sizes, [p.score for p in line], markeredgewidth=0, **look)
            ends.append((float(sizes[-1]), line[-1].score, contender))
        sizes = sorted({p.size for p in points})
        axes.set_xscale("log")
        axes.set_xticks(sizes, [count(size) for size in sizes])
        axes.set_xticks([], minor=True)
        axes.set_xlabel("training rows")
        _scores(axes, metric)
        if arrow is not None and arrow.labels is not None:
            _arrow(axes, arrow.size, arrow.labels.value, arrow.score, "" if narrow else f" of {arrow.contender}")
        _labels_at_right(axes, ends, order)

    label = f"Learning curves: {metric.name} over the number of training rows, one line per contender."
    return svg("curves-narrow", label, (4.2, 3.6), draw) if narrow else svg("curves", label, (6.6, 3.5), draw)


def against(
    standings: Sequence[Standing], name: str, what: str, cost: Callable[[Standing], float], metric: Metric
) -> str:
    """Draw the score over a cost on a log scale, with the score's interval; marks that tie with the best are filled.

    'majority' costs almost nothing and would stretch the axis, so it is drawn as a horizontal line.

    Args:
        standings: the leaderboard, best first.
        name: 'latency' or 'training'; decides the ticks and prefixes the ids inside the figure.
        what: the label of the cost axis.
        cost: returns milliseconds of latency or seconds of training.
        metric: the score.
    """
    order = [s.contender for s in standings]

    def draw(axes: Axes) -> None:
        spots = []
        for standing in standings:
            look, score = _look(standing.contender, order), standing.score
            if standing.contender == "majority":
                axes.axhline(score.value, color=GREY, lw=1, linestyle=look["linestyle"])
                axes.annotate(
                    "majority", (0, score.value), (2, 3), ("axes fraction", "data"), "offset points", color=GREY
                )
                continue
            at = max(cost(standing), TICKS[name][0][0])
            axes.plot([at, at], [score.low, score.high], color=look["color"], lw=1.3, alpha=0.7)
            face: dict[str, Any] = {} if standing.ties or standing is standings[0] else {"markerfacecolor": PAPER}
            axes.plot([at], [score.value], **{**look, "linestyle": "none", "markersize": 7}, **face)
            spots.append((at, score.value, standing.contender))
        axes.set_xscale("log")
        costs = [at for at, *_ in spots] or [1.0]
        low, high = min(costs) / 2.5, max(costs) * 2.5
        ticks = [(at, text) for at, text in TICKS[name] if low <= at <= high]
        axes.set_xlim(low, high)
        axes.set_xticks([at for at, _ in ticks], [text for _, text in ticks])
        axes.set_xticks([], minor=True)
        axes.set_xlabel(what)
        _scores(axes, metric)
        _labels_beside(axes, spots, order)

    label = f"{metric.name} over {what}: one point per contender, with its 95 % interval."
    return svg(name, label, (4.3, 3.1), draw)


def reliability(
    contender: str,
    place: int,
    bins: Sequence[tuple[float, float, int]],
    before: Sequence[tuple[float, float, int]] = (),
) -> str:
    """Draw accuracy over confidence; on the diagonal a model is perfectly calibrated.

    Args:
        contender: its name.
        place: its place in the leaderboard, from 0; decides its colour and the ids inside the figure.
        bins: (mean confidence, accuracy, rows); the area of a dot grows with its rows.
        before: the same without the temperature, drawn as a faint line; empty if there is none.
    """
    used = [b for b in bins if b[2] > 0]
    most = max((rows for *_, rows in used), default=1)

    def draw(axes: Axes) -> None:
        colour = PLACEHOLDERS[place % len(PLACEHOLDERS)]
        axes.plot([0, 1], [0, 1], color=GREY, lw=0.9, linestyle=(0, (3, 2)))
        axes.plot([b[0] for b in before], [b[1] for b in before], color=GREY, lw=1, alpha=0.7)
        axes.plot([b[0] for b in used], [b[1] for b in used], color=colour, lw=1.3)
        for confidence, accuracy, rows in used:
            axes.plot([confidence], [accuracy], "o", color=colour, markersize=2.5 + 5 * math.sqrt(rows / most), mew=0)
        ticks = [0, 0.5, 1]
        axes.set(xlim=(-0.04, 1.04), ylim=(-0.04, 1.04), aspect="equal", xlabel="confidence", ylabel="accuracy")
        axes.set_xticks(ticks, [f"{100 * t:.0f} %" for t in ticks])
        axes.set_yticks(ticks, [f"{100 * t:.0f} %" for t in ticks])

    label = f"Reliability of {contender}: accuracy over confidence."
    return svg(f"reliability{place}", label, (2.3, 2.1), draw)


def coverage(curves: Mapping[str, tuple[np.ndarray, np.ndarray]], order: Sequence[str]) -> str:
    """Draw the accuracy on the most confident texts over their share.

    Args:
        curves: contender -> shares of texts, ascending, and the accuracy on them.
        order: contenders in the leaderboard's order, which decides their colours.
    """

    def draw(axes: Axes) -> None:
        ends = []
        for contender, (shares, accuracies) in curves.items():
            look = {**_look(contender, order), "marker": ""}
            # A few texts say little, and no line needs more points than the page has pixels.
            shown = np.flatnonzero(shares >= min(LEAST_COVERAGE, shares[-1]))
            some = shown[np.unique(np.linspace(0, len(shown) - 1, MOST_POINTS).astype(int))]
            axes.plot(shares[some], accuracies[some], **look)
            ends.append((1.0, float(accuracies[-1]), contender))
        ticks = [0.25, 0.5, 0.75, 1]
        axes.set_xticks(ticks, [f"{100 * tick:.0f} %" for tick in ticks])
        axes.set(xlim=(0, 1), xlabel="share of texts answered, the most confident first", ylabel="accuracy on them")
        axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.3g} %")
        axes.grid(visible=False, axis="x")
        _labels_at_right(axes, ends, order)

    return svg("coverage", "Accuracy over the share of texts answered, one line per contender.", (6.6, 3.2), draw)


def residuals(
    contender: str, place: int, targets: np.ndarray, predicted: np.ndarray, between: tuple[float, float]
) -> str:
    """Draw the errors of predicted numbers over the targets: a dot a row, or of many rows the quantiles of groups.

    Args:
        contender: its name.
        place: its place in the leaderboard, from 0; decides its colour and the ids inside the figure.
        targets: float64 ``(rows,)``.
        predicted: float64 ``(rows,)``.
        between: lowest and highest error on the axis, the same in the figures of all contenders.
    """
    errors = predicted - targets

    def draw(axes: Axes) -> None:
        colour = PLACEHOLDERS[place % len(PLACEHOLDERS)]
        axes.axhline(0, color=GREY, lw=0.9, linestyle=(0, (3, 2)))
        if len(targets) <= MOST_DOTS:
            axes.plot(targets, errors, "o", color=colour, markersize=3, mew=0, alpha=0.5)
        else:
            limits = np.unique(np.quantile(targets, np.linspace(0, 1, GROUPS + 1)[1:-1]))
            group = np.searchsorted(limits, targets)
            members = [np.flatnonzero(group == number) for number in np.unique(group)]
            middles = [float(np.median(targets[rows])) for rows in members]
            low, half, high = np.array([np.quantile(errors[rows], (0.1, 0.5, 0.9)) for rows in members]).T
            axes.fill_between(middles, low, high, color=colour, alpha=0.2, lw=0)
            axes.plot(middles, half, color=colour, lw=1.3)
        room = 0.05 * (between[1] - between[0]) or 1.0
        axes.set_ylim(between[0] - room, between[1] + room)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(lambda value, _: _values.number(float(f"{value:.4g}")))
        axes.set(xlabel="true number", ylabel="prediction minus truth")

    return svg(f"residuals{place}", f"Errors of {contender} over the true number.", (2.9, 2.3), draw)


# --- parts of a figure ---------------------------------------------------------------------------------------


def _look(contender: str, order: Sequence[str]) -> dict[str, Any]:
    if contender == "majority":
        return {"color": GREY, "marker": ".", "linestyle": (0, (1, 2))}
    place = list(order).index(contender)
    return {
        "color": PLACEHOLDERS[place % len(PLACEHOLDERS)],
        "marker": MARKERS[place % len(MARKERS)],
        "linestyle": LINES[place % len(LINES)],
    }


def _scores(axes: Axes, metric: Metric) -> None:
    factor, unit = (100, " %") if metric.unit == "%" else (1, f" {metric.unit}".rstrip())
    axes.yaxis.set_major_formatter(lambda value, _: f"{factor * value:.3g}{unit}".replace("e+0", "e"))
    axes.set_ylabel(metric.name if metric.higher else f"{metric.name} (lower is better)")
    axes.grid(visible=False, axis="x")


def _arrow(axes: Axes, size: float, labels: float, score: float, rival: str) -> None:
    look = {"arrowstyle": "-|>", "color": INK, "lw": 1.1, "shrinkA": 4, "shrinkB": 1}
    axes.annotate("", (labels, score), (size, score), arrowprops=look)
    middle, words = math.sqrt(size * labels), f"worth about {about(labels)} rows{rival}"
    axes.annotate(words, (middle, score), (0, 5), textcoords="offset points", ha="center", weight="bold")


def _labels_at_right(axes: Axes, ends: list[tuple[float, float, str]], order: Sequence[str]) -> None:
    """Label each line at its right end, with labels spread apart and a thin leader line."""
    for (at, score, contender), y in zip(*_apart(axes, ends, gap=12), strict=True):
        axes.annotate(
            contender,
            (at, score),
            (16, y),
            textcoords=("offset points", "axes points"),
            va="center",
            color=_look(contender, order)["color"],
            arrowprops={"arrowstyle": "-", "color": FAINT, "lw": 0.6, "shrinkA": 1, "shrinkB": 5},
            annotation_clip=False,
        )


def _labels_beside(axes: Axes, spots: list[tuple[float, float, str]], order: Sequence[str]) -> None:
    """Label each point as close to it as possible without covering other points or labels."""
    _compute_layout(axes)
    places = {name: axes.transData.transform((at, score)) for at, score, name in spots}
    left, right = axes.get_window_extent().intervalx
    taken = [(x - 5, y - 7, x + 5, y + 7) for x, y in places.values()]
    for at, score, name in spots:
        x, y = places[name]
        width = 5.4 * len(name)
        best: tuple[float, tuple[float, float], Box] | None = None
        for up in (0, 9, -9, 14, -14, 20, -20, 29, -29):
            for across in (9, -width / 2, -9 - width):
                box = (x + across, y + up - 5, x + across + width, y + up + 5)
                outside = max(0, left - box[0]) + max(0, box[2] - right - 15)
                harm = sum(_overlap(box, other) for other in taken) + outside + abs(up) / 100
                if best is None or harm < best[0]:
                    best = (harm, (across, up), box)
        assert best is not None
        taken.append(best[2])
        colour = _look(name, order)["color"]
        axes.annotate(name, (at, score), best[1], textcoords="offset points", va="center", color=colour)


def _overlap(one: Box, two: Box) -> float:
    """Return the area of the intersection of two boxes (left, low, right, high)."""
    width = min(one[2], two[2]) - max(one[0], two[0])
    height = min(one[3], two[3]) - max(one[1], two[1])
    return max(width, 0) * max(height, 0)


def _apart(
    axes: Axes, spots: list[tuple[float, float, str]], gap: float
) -> tuple[list[tuple[float, float, str]], list[float]]:
    """Return the spots sorted by height, and label heights at least `gap` points apart and as close as possible.

    None is outside the axes, which is where ticks and axis labels are, as long as there is room for all.
    """
    from scipy.optimize import isotonic_regression

    _compute_layout(axes)
    spots = sorted(spots, key=lambda spot: spot[1])
    low, high = axes.get_ylim()
    height = axes.get_window_extent().height
    # Heights with a minimum distance, minus that distance, are non-decreasing; the closest such is isotonic regression.
    apart = gap * np.arange(len(spots))
    nearest = isotonic_regression(np.array([(score - low) / (high - low) * height for _, score, _ in spots]) - apart).x
    return spots, (nearest.clip(0, max(0, height - apart[-1])) + apart).tolist()


def _compute_layout(axes: Axes) -> None:
    """Compute the figure's layout, so that labels can be placed in points (which at 72 dpi are pixels)."""
    axes.figure.get_figure(root=True).draw_without_rendering()
