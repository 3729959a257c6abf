"""The turns of a conversation in a cell; for `Task.read`."""

from __future__ import annotations

from collections.abc import Mapping

from headstart.core.contracts import Value
from headstart.core.errors import DataError, shown
from headstart.data.cells import parse, text_cell

ROLES = ("system", "user", "assistant")


def turns_cell(value: object, what: str) -> tuple[dict[str, str], ...]:
    """Return the turns in a cell: a list of objects with 'role' and 'content', or a text, which is a turn of the user.

    Args:
        value: the cell.
        what: what it holds, for messages.

    Raises:
        DataError: an empty cell, no list of such objects, an unknown role, or a turn without content.

    >>> turns_cell("Hello.", "prompt"), turns_cell([{"role": "assistant", "content": "Hi."}], "prompt")
    (({'role': 'user', 'content': 'Hello.'},), ({'role': 'assistant', 'content': 'Hi.'},))
    """
    listed = messages(value)
    if listed is None:
        return ({"role": "user", "content": text_cell(value, what)},)
    if not listed:
        raise DataError(f"has no {what}")
    return tuple(_turn(turn, number) for number, turn in enumerate(listed, start=1))


def messages(value: object) -> list[Value] | None:
    """Return the list of a cell that holds one, or its text as JSON; None for any other cell."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        value = parse(value) or value
    return list(value) if isinstance(value, list | tuple) else None


def _turn(turn: Value, number: int) -> dict[str, str]:
    if not isinstance(turn, Mapping) or not {"role", "content"} <= turn.keys():
        raise DataError(f"has a turn ({number}) that is no object with 'role' and 'content'")
    role, content = turn["role"], turn["content"]
    if role not in ROLES:
        raise DataError(f"has the unknown role {shown(str(role))} in turn {number}; roles are {', '.join(ROLES)}")
    if not isinstance(content, str) or not content.strip():
        raise DataError(f"has a turn ({number}) without content")
    return {"role": role, "content": content}
