"""Columns that several tasks have, with their usual names, and the names under which a table has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from headstart.core.contracts import Column, Task
from headstart.core.errors import UsageError, shown

TEXT = Column(
    "text",
    frozenset(
        {
            *("texts", "review", "reviewtext", "reviewbody", "sentence", "sentences", "content", "message", "tweet"),
            *("tweettext", "comment", "commenttext", "body", "document", "utterance", "sms", "post", "query"),
            *("question", "description", "abstract", "headline", "input", "article", "feedback", "verbatim", "string"),
        }
    ),
    form="text",
)
LABEL = Column(
    "label",
    frozenset(
        {
            *("labels", "class", "category", "sentiment", "target", "rating", "stars", "topic", "intent", "tag"),
            *("polarity", "score", "emotion", "output", "gold", "answer", "labeltext", "labelname", "y", "grade"),
        }
    ),
    form="label",
    target=True,
)
SHORT = ("text", "label")  # roles with an option of their own

Names = Mapping[str, tuple[str, ...]]  # role -> columns
Given = Mapping[str, str | int | Sequence[str | int]]  # role -> column, or columns, as a person names them


def option(role: str, value: str = "") -> str:
    """Return the option of the command line that names the column of a role.

    >>> option("text"), option("text", "NAME"), option("question", "NAME")
    ('--text', '--text NAME', '--column question=NAME')
    """
    if role in SHORT:
        return f"--{role} {value}".rstrip()
    return f"--column {role}={value}".rstrip("=")


def given_columns(columns: Sequence[Column], named: Given) -> dict[str, tuple[str, ...]]:
    """Check the columns that a person named: role -> names.

    Args:
        columns: those of the task.
        named: role -> column. A number is a name in a DataFrame. Several are a sequence, or separated by commas.

    Raises:
        UsageError: a role that the task does not have, several columns for a role that has one, or one column twice.

    >>> labels = Column("labels", several=True)
    >>> given_columns((TEXT, labels), {"text": "a,b", "labels": "c, d"})
    {'text': ('a,b',), 'labels': ('c', 'd')}
    """
    roles = {column.role: column for column in columns}
    names: dict[str, tuple[str, ...]] = {}
    users: dict[str, str] = {}
    for role, wanted in named.items():
        if role not in roles:
            raise UsageError(f"the task reads no {shown(role)} ({option(role)}); its columns are {_listed([*roles])}.")
        several = roles[role].several
        if isinstance(wanted, str) and several:
            wanted = [name.strip() for name in wanted.split(",") if name.strip()]
        names[role] = (str(wanted),) if isinstance(wanted, str | int) else tuple(map(str, wanted))
        if not names[role] or (len(names[role]) > 1 and not several):
            raise UsageError(f"{len(names[role])} columns are named for the {role} ({option(role)}): name one.")
        for name in names[role]:
            if users.setdefault(name, role) != role:
                raise UsageError(
                    f"the {users[name]} and the {role} are both read from column {shown(name)}; name two columns."
                )
    return names


def input_columns(task: Task, names: Names) -> tuple[str, ...]:
    """Return what a fitted task remembers of the columns of its training rows: 'ROLE=NAME' for each input."""
    inputs = [column.role for column in task.columns if not column.target]
    return tuple(f"{role}={name}" for role in inputs for name in names.get(role, ()))


def trained_columns(task: Task) -> dict[str, tuple[str, ...]]:
    """Return the columns that a fitted task remembers, the inverse of :func:`input_columns`."""
    names: dict[str, tuple[str, ...]] = {}
    for assignment in task.input_columns:
        role, _, name = assignment.partition("=")
        names[role] = (*names.get(role, ()), name)
    return names


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
