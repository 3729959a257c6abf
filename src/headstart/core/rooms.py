"""Find a plugin by its file name: the folder is the registry.

A plugin is a module with one frozen dataclass named ``PLUGIN``; its fields are its options. Every module in the folder
is a plugin unless its name begins with an underscore, so that plugins are listed without opening a file. A module's
name cannot contain a hyphen, so an underscore in it is a hyphen in the plugin's name: ``xlm_roberta.py`` is
'xlm-roberta'.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import math
import pkgutil
import types
import typing
from collections.abc import Mapping
from typing import Any, NewType

from headstart.core.errors import UsageError, did_you_mean, shown

# A field with a number of any sign; those that are plain ints or floats are counts, rates or shares.
Signed = NewType("Signed", float)


def names(room: str) -> list[str]:
    """Return the plugins of a package without importing them, in alphabetical order.

    >>> "full" in names("strategies")
    True
    """
    return list(_listed(tuple(importlib.import_module(f"headstart.{room}").__path__)))


@functools.cache
def _listed(folders: tuple[str, ...]) -> tuple[str, ...]:
    """List the plugins in the folders of a package, once per process."""
    modules = (module.name for module in pkgutil.iter_modules(folders))
    return tuple(sorted(name.replace("_", "-") for name in modules if not name.startswith("_")))


def plugin(room: str, name: str) -> type:
    """Import the plugin class of a file name.

    Raises:
        UsageError: there is no such file in the package, or it defines no plugin.
    """
    if name not in names(room):
        raise UsageError(f"no {_singular(room)} {shown(name)}; {did_you_mean(name, names(room))}")
    module = importlib.import_module(f"headstart.{room}.{name.replace('-', '_')}")
    if not isinstance(plugin_class := vars(module).get("PLUGIN"), type):
        raise UsageError(
            f"{module.__file__} defines no PLUGIN: add the line 'PLUGIN = ThatClass', or begin the file's name with an "
            "underscore."
        )
    return plugin_class


def name_of(kind: type) -> str:
    """Return the file name of a plugin's class.

    >>> name_of(plugin("tasks", "pair-regression"))
    'pair-regression'
    """
    return kind.__module__.rsplit(".", 1)[-1].replace("_", "-")


def load(room: str, name: str, options: dict[str, Any] | None = None) -> Any:
    """Build a plugin with options checked against its fields; strings are converted to the field's type.

    Args:
        room: the package, such as 'contenders'.
        name: file name of the plugin.
        options: field name -> value. Strings come from the command line and are converted.

    Raises:
        UsageError: an unknown plugin or option, or a value of the wrong type.
    """
    return _build(plugin(room, name), options or {}, f"{_singular(room)} {shown(name)}")


def _build(kind: type, options: Mapping[str, Any], where: str) -> Any:
    """Build a dataclass with options checked against its fields."""
    hints = typing.get_type_hints(kind)
    fields = {f.name for f in dataclasses.fields(kind)}
    values = {}
    for key, value in options.items():
        if key not in fields:
            raise UsageError(f"{where} has no option '{key}'; {did_you_mean(key, fields)}")
        values[key] = _read(value, hints[key], f"option '{key}' of {where}")
    return kind(**values)


def promise(room: str, name: str) -> str:
    """Return the first line of a plugin's docstring, which `headstart list` prints."""
    return (plugin(room, name).__doc__ or "").strip().split("\n")[0]


def _singular(room: str) -> str:
    own = {"strategies": "strategy", "checkpoints.families": "checkpoint family", "stress": "transformation"}
    return own.get(room, room.removesuffix("s"))


def _read(value: Any, hint: Any, where: str) -> Any:
    """Convert one option to the type its field declares."""
    kinds = typing.get_args(hint) if typing.get_origin(hint) in (types.UnionType, typing.Union) else (hint,)
    if value is None and type(None) in kinds:
        return None
    for kind in kinds:
        if kind is bool:
            if isinstance(value, bool):
                return value
            if isinstance(value, str) and value.lower() in ("true", "false"):
                return value.lower() == "true"
        elif kind is Signed:
            if type(value) in (int, float) and math.isfinite(value):
                return value
        elif kind in (int, float, str):
            if isinstance(value, bool) or (kind is int and isinstance(value, float) and value != int(value)):
                continue
            try:
                converted = kind(value)
            except (TypeError, ValueError):
                continue
            # This also refuses 'nan'.
            if kind is not str and not converted >= 0:
                raise UsageError(f"{where} is {value}; give a number from 0 up.")
            return converted
        elif typing.get_origin(kind) is typing.Literal:
            choices = typing.get_args(kind)
            if value in choices:
                return value
            raise UsageError(f"{where} cannot be {shown(value)}; {did_you_mean(str(value), choices)}")
        elif isinstance(kind, type) and isinstance(value, kind):
            return value
        elif dataclasses.is_dataclass(kind) and isinstance(kind, type) and isinstance(value, Mapping):
            return _build(kind, value, where)  # as JSON writes it
        elif typing.get_origin(kind) is tuple:
            parts = value.split("+") if isinstance(value, str) else value
            return tuple(_read(part, typing.get_args(kind)[0], where) for part in parts)
    wanted = " or ".join(getattr(kind, "__name__", str(kind)) for kind in kinds)
    raise UsageError(f"{where} must be {wanted}, not {value!r}.")
