"""Why a model gives an answer, as far as single words say it.

Each file of a method says what its attributions mean. No method is right by itself: `faithfulness` measures, on rows of
a person's own, how well each one finds the words that a model needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from headstart.core.contracts import Fitted, Value
from headstart.core.errors import UsageError, did_you_mean, shown

if TYPE_CHECKING:
    from headstart.explain.explanation import Explanation

METHODS = ("contributions", "integrated-gradients", "gradient-x-input", "occlusion")


def methods(model: Fitted) -> tuple[str, ...]:
    """Return the methods that a model has; the first one is used unless another one is named."""
    return (
        *(("contributions",) if model.has_contributions else ()),
        *(("integrated-gradients", "gradient-x-input") if model.has_gradients else ()),
        "occlusion",
    )


def check_method(method: str, known: Sequence[str] = METHODS) -> None:
    """Make sure that there is a method of this name.

    Raises:
        UsageError: there is none.
    """
    if method not in known:
        raise UsageError(f"no method {shown(method)}; {did_you_mean(method, known)}")


def explain(
    model: Fitted, inputs: Sequence[Value], *, method: str | None = None, name: str | None = None
) -> tuple[Explanation, ...]:
    """Return what each word of some inputs adds to what a model predicts for them.

    Each input has one explanation, or one for each of several labels or facts; an input without facts has none.

    Args:
        model: the model.
        inputs: what its task reads; for classification texts.
        method: one of :func:`methods`; None for the first one.
        name: the class to explain instead of the predicted one; of facts, their type. None for what is predicted.

    Raises:
        UsageError: the model does not have this method or class, or writes its answers freely.
        DataError: an input without words.
    """
    from headstart.explain import _attributing

    chosen = methods(model)[0] if method is None else method
    check_method(chosen)
    if chosen not in methods(model):
        raise UsageError(f"the method {shown(chosen)} is not one of this model's; it has {', '.join(methods(model))}.")
    asked = _attributing.prepare(model, inputs, name)
    found = _attributing.attribute(model, asked, chosen) if asked.answers else []
    return _attributing.explained(asked, found, chosen)
