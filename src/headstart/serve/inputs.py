"""From the body of a request to inputs of the task; whatever is wrong with it becomes one sentence."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import NoReturn

from headstart.core.contracts import Column, Task, Value
from headstart.core.errors import DataError, did_you_mean, shown
from headstart.core.tabular import COLUMNS
from headstart.data import tabular
from headstart.data._stream import fault
from headstart.serve.limits import Refused

EXAMPLE = "A text."
INPUTS = "inputs"


def parse(body: bytes) -> Value:
    """Parse a body as JSON.

    Raises:
        Refused: it is not JSON (400).
    """
    try:
        return json.loads(body.decode("utf-8"), parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise Refused(
            400, f"the body is not valid UTF-8: byte {error.start} is {error.object[error.start]:#04x}."
        ) from error
    except json.JSONDecodeError as error:
        raise Refused(400, f"the body is not JSON: line {error.lineno}, column {error.colno}: {error.msg}.") from error
    except RecursionError as error:
        raise Refused(400, "the body is nested too deeply.") from error
    except ValueError as error:  # a whole number with thousands of digits, or NaN
        raise Refused(400, f"the body is not JSON: {str(error).split(';')[0]}.") from error


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def listed(document: Value, most: int) -> list[Value]:
    """Return the inputs of a parsed body.

    Raises:
        Refused: it is not an object with a list of 1 to `most` inputs (422).
    """
    shape = f'send an object such as {{"{INPUTS}": ["{EXAMPLE}"]}}'
    if not isinstance(document, dict):
        raise Refused(422, f"the body is {described(document)}; {shape}.")
    if unknown := [name for name in document if name != INPUTS]:
        raise Refused(422, f"the body has an unknown key {shown(unknown[0])}; {shape}.")
    inputs = document.get(INPUTS)
    if not isinstance(inputs, list):
        raise Refused(422, f"'{INPUTS}' is {described(inputs)}, not a list; {shape}.")
    check_count(len(inputs), most)
    return inputs


def check_count(inputs: int, most: int) -> None:
    """Check the number of inputs of a request.

    Raises:
        Refused: none, or too many (422).
    """
    if not 1 <= inputs <= most:
        raise Refused(422, f"a request has 1 to {most} inputs, and this one has {inputs}; send several requests.")


def read(task: Task, given: Sequence[Value]) -> list[Value]:
    """Turn inputs as they were sent into inputs of the task.

    Each is a text, if the task needs nothing else, or an object: role -> text or list; the columns that the model reads
    beside the text are an object in it, 'columns'.

    Raises:
        Refused: one of them cannot be used; the sentence says which, counted from 1 (422).
    """
    roles = [column for column in task.columns if not column.target]
    return [_read(task, roles, value, f"input {number}") for number, value in enumerate(given, start=1)]


def sample(task: Task) -> Value:
    """Return an input of the task, with nothing in its columns."""
    return tabular.with_columns(task, task.SAMPLE[0][0], dict.fromkeys(task.tabular.names))


def example(task: Task) -> Value:
    """Return an input as a person may send it, for documentation and messages."""
    roles = [column for column in task.columns if not column.target and column.required]
    if only_text(task):
        return EXAMPLE
    cells: dict[str, Value] = {column.role: EXAMPLE for column in roles}
    return {**cells, **({COLUMNS: dict.fromkeys(task.tabular.names)} if task.tabular.names else {})}


def only_text(task: Task) -> bool:
    """Return whether a text is all that the task needs."""
    needed = [column.form for column in task.columns if not column.target and column.required]
    return needed == ["text"] and not task.tabular.names


def described(value: Value) -> str:
    """Describe a JSON value that is of the wrong type.

    >>> described(None), described({}), described(True)
    ('null', 'an object', 'a boolean')
    """
    if value is None:
        return "null"
    names = {dict: "an object", list: "a list", str: "a text", bool: "a boolean"}
    return names.get(type(value), "a number")


def _read(task: Task, roles: Sequence[Column], value: Value, name: str) -> Value:
    if isinstance(value, str) and only_text(task):
        value = {next(column.role for column in roles if column.required): value}
    if not isinstance(value, dict):
        wanted = "a text or an object" if only_text(task) else "an object"
        raise Refused(422, f"{name} is {described(value)}, not {wanted} such as {json.dumps(example(task))}.")
    cells = dict(value)
    beside = cells.pop(COLUMNS, None) if task.tabular.names else None
    known = {column.role for column in roles}
    for key in cells:
        if key not in known:
            raise Refused(422, f"{name} has an unknown key {shown(key)}; {did_you_mean(key, known)}")
    for column in roles:
        if column.required and column.role not in cells:
            raise Refused(422, f"{name} has no {column.role}; send an object such as {json.dumps(example(task))}.")
    if reason := _fault([cells, beside]):
        raise Refused(422, f"{name} {reason}.")
    try:
        read_value = task.read(cells)[0]
    except DataError as error:
        raise Refused(422, f"{name} {str(error).rstrip('.')}.") from error
    return tabular.with_columns(task, read_value, _columns(task, beside, name)) if task.tabular.names else read_value


def _columns(task: Task, beside: Value, name: str) -> Mapping[str, Value]:
    """Return the cells of all columns beside the text."""
    names = task.tabular.names
    if not isinstance(beside, dict) or (missing := [column for column in names if column not in beside]):
        lacking = "" if not isinstance(beside, dict) else f" {', '.join(map(shown, missing))}"
        raise Refused(
            422,
            f"{name} lacks columns{lacking}, which the model reads beside the text; send an object such as "
            f"{json.dumps(example(task))}, with null for what is not known.",
        )
    for column in beside:
        if column not in names:
            raise Refused(422, f"{name} has an unknown column {shown(column)}; {did_you_mean(column, names)}")
    return beside


def _fault(value: Value) -> str:
    """Return what is wrong with a text anywhere in a JSON value, or ''; without recursion, as it may be deep."""
    inside = [value]
    while inside:
        part = inside.pop()
        if isinstance(part, str):
            if (not part.isascii() or "\0" in part) and (reason := fault(part)):
                return reason
        elif isinstance(part, dict):
            inside += [*part, *part.values()]
        elif isinstance(part, list):
            inside += part
    return ""
