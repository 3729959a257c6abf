"""The common part of checkpoints of models that answer with a text, see `checkpoints.generators`."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from headstart.checkpoints._family import SEQUENCE, read_argument
from headstart.core.contracts import Suffix
from headstart.core.errors import CheckpointError
from headstart.nn.decoder import Generator
from headstart.nn.generate import Search

ACTIVATIONS = ("gelu", "gelu_new", "relu", "silu", "tanh")
MOST = 128  # generated tokens, unless more are asked for
# Their names of activations -> ours.
ALIASES = {"swish": "silu", "gelu_pytorch_tanh": "gelu_new"}


@dataclass(frozen=True)
class GeneratorFamily:
    """One kind of checkpoint of a `nn.decoder.Generator`; compare `_family.Family`.

    model_type: the value in config.json, and the name of the family's plugin.
    architecture: class name of the model.
    modules: our module -> the file's modules; if there are several, ours is their concatenation. ``*`` is the number of
        a layer. Weights and biases keep their last name, except those in `whole`.
    whole: our parameter -> the file's name of it.
    rows: those of them that are vectors in the file, not matrices of one row.
    transposed: our modules whose matrices the file has transposed.
    prefix: of the names that some files lack.
    window: most tokens of a text, for families without a key for it.
    keys: our argument -> the key of config.json.
    fixed: keys that are always written with the same value.
    expected: keys that must have these values if present.
    defaults: our argument -> its value if its key is missing.
    """

    model_type: ClassVar[str]
    architecture: ClassVar[str]
    modules: ClassVar[Mapping[str, tuple[str, ...]]]
    whole: ClassVar[Mapping[str, str]] = {}
    rows: ClassVar[frozenset[str]] = frozenset()
    transposed: ClassVar[frozenset[str]] = frozenset()
    prefix: ClassVar[str] = "model."
    window: ClassVar[int] = 0
    keys: ClassVar[Mapping[str, str]]
    fixed: ClassVar[Mapping[str, Any]] = {}
    expected: ClassVar[Mapping[str, Any]] = {}
    defaults: ClassVar[Mapping[str, Any]] = {}

    def of(self, config: Mapping[str, Any]) -> Self:
        """Return the family with what names of weights depend on in the contents of config.json."""
        return self

    @property
    def table(self) -> Mapping[str, tuple[str, ...]]:
        """Our modules -> the file's modules."""
        return self.modules

    def names(self, parameters: Iterable[str], suffix: Suffix = SEQUENCE) -> dict[str, tuple[str, ...]]:
        """Return the file's names of each of our parameters; loading and saving both use this table."""
        modules = self.table
        table: dict[str, tuple[str, ...]] = {}
        for parameter in parameters:
            if parameter in self.whole:
                table[parameter] = (self.whole[parameter],)
                continue
            module, _, kind = parameter.rpartition(".")
            number = re.search(r"\d+", module)
            theirs = modules[re.sub(r"\d+", "*", module)]
            table[parameter] = tuple(f"{name.replace('*', number[0] if number else '')}.{kind}" for name in theirs)
        return table

    def is_row(self, parameter: str) -> bool:
        """Return whether the file has a vector as a matrix of one row."""
        return parameter in self.whole and parameter not in self.rows

    def is_transposed(self, parameter: str) -> bool:
        """Return whether the file has a matrix transposed."""
        module, _, kind = parameter.rpartition(".")
        return kind == "weight" and re.sub(r"\d+", "*", module) in self.transposed

    def arguments(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Turn the contents of config.json into the arguments of :meth:`build`.

        Raises:
            CheckpointError: a key is missing, has a value of the wrong kind or size, or asks for something that is not
                implemented.
        """
        for key, value in self.expected.items():
            if config.get(key, value) != value:
                raise CheckpointError(
                    f"config.json: '{key}' is {reprlib.repr(config[key])}; only {value!r} is supported."
                )
        arguments = {}
        for name, key in self.keys.items():
            value = config.get(key)
            known = {key: ALIASES.get(value, value)} if isinstance(value, str) else config
            arguments[name] = read_argument(known, name, key, self.defaults, ACTIVATIONS)
        return arguments

    def build(self, arguments: Mapping[str, Any]) -> Generator:
        """Build the model for some arguments, with torch's random weights."""
        raise NotImplementedError  # every family has its own

    def config(self, arguments: Mapping[str, Any], search: Search, padding: int) -> dict[str, Any]:
        """Write the arguments as a complete config.json; the inverse of :meth:`arguments`.

        Args:
            arguments: of :meth:`build`.
            search: how texts begin and end.
            padding: id of the padding token.
        """
        return {
            "model_type": self.model_type,
            "architectures": [self.architecture],
            "dtype": "float32",
            "pad_token_id": padding,
            "eos_token_id": search.end[0] if len(search.end) == 1 else list(search.end),
            **({} if search.start is None else {"decoder_start_token_id": search.start, "is_encoder_decoder": True}),
            **({} if search.forced_start is None else {"forced_bos_token_id": search.forced_start}),
            **({} if search.forced_end is None else {"forced_eos_token_id": search.forced_end}),
            **self.fixed,
            **{key: arguments[name] for name, key in self.keys.items()},
        }


def check_heads(arguments: Mapping[str, Any]) -> None:
    """Refuse attention heads that do not divide the width.

    Raises:
        CheckpointError: they do not.
    """
    if arguments["width"] % arguments["heads"]:
        raise CheckpointError(
            f"config.json: {arguments['heads']} attention heads do not divide a width of {arguments['width']}."
        )


def read_search(config: Mapping[str, Any], generation: Mapping[str, Any], vocabulary: int) -> Search:
    """Read how texts begin and end.

    Args:
        config: the contents of config.json.
        generation: the contents of generation_config.json, which is read first; empty if there is none.
        vocabulary: number of token ids.

    Raises:
        CheckpointError: the token that ends a text is missing, or an id is not in the vocabulary.
    """

    def read(key: str) -> tuple[int, ...]:
        value = generation.get(key)
        value = config.get(key) if value is None else value
        ids = [] if value is None else value if isinstance(value, list) else [value]
        for token in ids:
            if type(token) is not int or not 0 <= token < vocabulary:
                raise CheckpointError(
                    f"config.json: '{key}' is {reprlib.repr(value)}, but must be a whole number from 0 to below "
                    f"{vocabulary}, the size of the vocabulary."
                )
        return tuple(ids)

    def one(key: str) -> int | None:
        return next(iter(read(key)), None)

    end = read("eos_token_id")
    if not end:
        raise CheckpointError("config.json has no 'eos_token_id', so texts would never end; add it.")
    start = None
    if config.get("is_encoder_decoder"):
        other = "pad_token_id" if config.get("model_type") in ("t5", "mt5") else "bos_token_id"
        start = one(other) if one("decoder_start_token_id") is None else one("decoder_start_token_id")
    return Search(
        end=end,
        most=MOST,
        start=start,
        forced_start=one("forced_bos_token_id"),
        forced_end=one("forced_eos_token_id"),
    )
