"""Draw with matplotlib into an inline SVG element: text stays text, and colours come from the page around it.

matplotlib draws with placeholder colours, which are then replaced by CSS variables with fallbacks, so that a figure
works in light and in dark mode. The output is deterministic: no dates, and ids that begin with the figure's name.
"""

from __future__ import annotations

import html
import io
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Fallbacks for a page without the variables. They are distinguishable with the common colour blindnesses, and each
# contender also has its own marker and line style.
SERIES = ("#0b62a4", "#c4501b", "#00805e", "#a3528a", "#8a6500", "#2b87b8", "#b3364a", "#5a5fb0")
PLACEHOLDERS = tuple(f"#0101{i:02x}" for i in range(0xA0, 0xA0 + len(SERIES)))
INK, FAINT, GREY, PAPER = "#0202a0", "#0202a1", "#0202a2", "#0202a3"
PLAIN = {
    INK: "currentColor",
    FAINT: "var(--faint, #9aa3ad)",
    GREY: "var(--grey, #6b7280)",
    PAPER: "var(--paper, #fff)",
}
STYLE = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": 9,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.labelsize": 9,
    "grid.color": FAINT,
    "grid.alpha": 0.45,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.minor.size": 0,
    "lines.linewidth": 1.6,
    "lines.markersize": 5,
}


def svg(name: str, label: str, inches: tuple[float, float], draw: Callable[[Axes], None]) -> str:
    """Draw into a new figure (no global state) and return an inline <svg> element.

    Args:
        name: prefix of all ids in the figure.
        label: description for screen readers.
        inches: width and height.
        draw: draws into the axes.
    """
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    style: dict[Any, Any] = {**STYLE, "svg.hashsalt": name}
    with matplotlib.rc_context(style):
        figure = Figure(figsize=inches, dpi=72, layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        draw(axes)
        stream = io.StringIO()
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(stream, format="svg", transparent=True, metadata=nothing)
    return _inline(stream.getvalue(), name, label)


def _inline(document: str, name: str, label: str) -> str:
    """Turn matplotlib's document into an element that inherits colours and fonts from the page."""
    body = document[document.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", body, flags=re.DOTALL)
    box = re.search(r'viewBox="[^"]*"', body)
    label = html.escape(label)
    opening = f'<svg class="plot" {box.group() if box else ""} role="img" aria-label="{label}"><title>{label}</title>'
    body = opening + body[body.index(">") + 1 :]
    body = body.replace("xlink:href", "href")
    body = re.sub(r'id="([^"]*)"', rf'id="{name}-\1"', body)
    body = re.sub(r'href="#|url\(#', lambda match: f"{match.group()}{name}-", body)
    body = re.sub(r"font-family: [^;\"]*;? ?", "", body)
    body = re.sub(r"font: ([^;\"]*?)(\d+(?:\.\d+)?px) [^;\"]*", r"font-size: \2; font-weight: \1", body)
    body = body.replace("font-weight: ;", "").replace('font-weight: "', '"')
    for place, (placeholder, colour) in enumerate(zip(PLACEHOLDERS, SERIES, strict=True)):
        body = body.replace(placeholder, f"var(--series-{place}, {colour})")
    for placeholder, colour in PLAIN.items():
        body = body.replace(placeholder, colour)
    return re.sub(r"\n\s*", "\n", body).strip()
