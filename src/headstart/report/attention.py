"""A picture of attention weights: a row for each token that attends, a column for each that it attends to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from headstart.core.attribution import Attention
from headstart.core.errors import visible
from headstart.report import _format as form

if TYPE_CHECKING:
    import numpy as np

CELL = 15  # pixels
LETTER = 6  # width of one, about
LONGEST = 14  # letters of a token
WEAK = 0.005  # weight below which nothing is drawn
NOTE = (
    "This picture is not an explanation: attention weights say from which tokens states are mixed, not what the answer "
    "rests on, and other weights can give the same answer (Jain & Wallace 2019). Each row is a token, its columns are "
    "the tokens that it attends to, and the deeper a square, the larger the weight: the mean over the {heads} heads of "
    "the last of {layers} layers, for the first text above{left_out}."
)


def view(attention: Attention) -> dict[str, str]:
    """Return the picture of the last layer, the mean over its heads, and what is said below it."""
    layers, heads = attention.weights.shape[:2]
    left_out = f", without its last {form.plural(attention.left_out, 'token')}" if attention.left_out else ""
    return {
        "svg": _svg([_short(token) for token in attention.tokens], attention.weights[-1].mean(axis=0)),
        "note": NOTE.format(heads=heads, layers=layers, left_out=left_out),
    }


def _svg(tokens: list[str], weights: np.ndarray) -> Markup:
    """Draw weights ``(tokens, tokens)`` as squares whose opacity grows with the weight, the largest being opaque."""
    margin = LETTER * max(map(len, tokens)) + 8
    side = margin + CELL * len(tokens)
    most = float(weights.max())
    parts = [
        Markup(
            '<svg class="attention" role="img" width="{side}" height="{side}" viewBox="0 0 {side} {side}" '
            'aria-label="Attention weights between tokens; not an explanation">'
        ).format(side=side)
    ]
    for number, token in enumerate(tokens):
        middle = margin + CELL * number + CELL - 4
        parts.append(Markup('<text x="{}" y="{}" text-anchor="end">{}</text>').format(margin - 4, middle, token))
        turned = Markup('<text transform="translate({} {}) rotate(-90)">{}</text>')
        parts.append(turned.format(middle, margin - 4, token))
    square = Markup('<rect x="{}" y="{}" width="{}" height="{}" fill-opacity="{:.2f}"><title>{}</title></rect>')
    for row, line in enumerate(weights.tolist()):
        for column, weight in enumerate(line):
            if weight >= WEAK:
                x, y = margin + CELL * column, margin + CELL * row
                title = f"{tokens[row]} to {tokens[column]}: {weight:.2f}"
                parts.append(square.format(x, y, CELL - 1, CELL - 1, weight / most, title))
    return Markup("").join((*parts, Markup("</svg>")))


def _short(token: str) -> str:
    token = visible(token)
    return token if len(token) <= LONGEST else f"{token[: LONGEST - 1]}…"
