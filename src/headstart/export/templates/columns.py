"""Parts of programs that read columns beside a text: `{"text": ..., "columns": {"price": 3.5, "country": "DE"}}`."""

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
TASK = json.loads((FOLDER / "task.json").read_text("utf-8"))


# <columns>
def categories(cell: Any) -> list[str]:
    """Return the categories in a cell: none, one, or several of a list."""
    if isinstance(cell, list):
        return [name for part in cell for name in categories(part)]
    if cell is None or cell != cell:
        return []
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return [str(int(cell)) if float(cell).is_integer() else str(float(cell))]
    text = str(cell).strip()
    return [text.lower() if isinstance(cell, bool) else text] if text else []


def number(cell: Any) -> float | None:
    """Return the number in a cell, or None."""
    try:
        value = float("" if isinstance(cell, bool) else cell)
    except (TypeError, ValueError, OverflowError):
        return None
    return value if abs(value) < TASK["largest"] else None


# <beside>
def features(cells: dict[str, Any]) -> list[float]:
    """Turn the columns of an input into features."""
    row: list[float] = []
    for column in TASK["columns"]:
        cell = cells[column["name"]]
        names, value = categories(cell), number(cell)
        if column["form"] == "number":
            distance = 0.0 if value is None else (value - column["mean"]) / column["scale"]
            row.append(min(TASK["most_deviations"], max(-TASK["most_deviations"], distance)))
        else:
            row += [float(name in names) for name in column["categories"]]
        if column["gaps"]:
            row.append(float(value is None if column["form"] == "number" else not names))
    return row


# </beside>
# <worded>
def worded(value: dict[str, Any]) -> Any:
    """Return what is read of an input: its columns as words, and its text."""
    said, text = "", value["text"]
    for column in TASK["columns"]:
        names, known = categories(value["columns"][column["name"]]), number(value["columns"][column["name"]])
        if names:
            said += f"{column['name']}: {', '.join(names) if known is None else f'{known:.4g}'}; "
    return said + text if isinstance(text, str) else [said + text[0], text[1]]


# </worded>
# </columns>
