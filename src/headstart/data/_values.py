"""Values of typed tables as cells of text."""

from __future__ import annotations

import json
from typing import Any


def cell(value: Any) -> str:
    """Turn a value of a typed table into text: missing values into '', nested ones into JSON.

    >>> cell(None), cell(1.0), cell("x"), cell(float("nan")), cell(["a", 1])
    ('', '1.0', 'x', '', '["a", 1]')
    """
    if isinstance(value, str):
        return value
    if value is None or type(value).__name__ in ("NAType", "NaTType") or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)
