"""The common part of the BERT family's checkpoints: a two-way table of names and a strict reader of config.json."""

from __future__ import annotations

import inspect
import re
import reprlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from headstart.core.contracts import HeadPlan, Suffix
from headstart.core.errors import CheckpointError
from headstart.nn.crf import CrfHead
from headstart.nn.encoder import Encoder, Stack
from headstart.nn.entities import EntityPairHead
from headstart.nn.heads import HEADS, ClassificationHead, Head

ACTIVATIONS = ("gelu", "gelu_new", "relu", "tanh")
# The value at which an argument of the encoder has no effect, for families whose files have no key for it.
NEUTRAL: dict[str, Any] = {
    "types": 0,
    "epsilon": 1e-12,
    "embedding_width": None,
    "position_offset": 0,
    "one_block": False,
    "distance_buckets": 0,
}
# The values that keys of config.json must have if present, since the encoder would compute something else.
EXPECTED: dict[str, Any] = {"position_embedding_type": "absolute", "is_decoder": False, "add_cross_attention": False}
# Hugging Face's defaults for keys that older files lack.
DEFAULTS: dict[str, Any] = {
    "types": 2,
    "dropout": 0.1,
    "activation": "gelu",
    "epsilon": 1e-12,
    "sinusoidal": False,
}
SEQUENCE: Suffix = "ForSequenceClassification"
TOKENS: Suffix = "ForTokenClassification"
# Hugging Face has no place for the scores of pairs of labels, and leaves weights of unknown names unread.
CRF = {"head.moves": ("crf.transitions",)}
LARGEST = {"layers": 1_000, "vocabulary": 10_000_000}


@dataclass(frozen=True)
class Family:
    """One kind of checkpoint: how its weights and settings are called here and in Hugging Face's files.

    model_type: the value in config.json, and the name of the family's plugin.
    architecture: class name of the bare model.
    modules: our module -> the file's modules, as in a sequence classifier; if there are several, ours is their
        concatenation. ``*`` is the number of a block. Weights and biases keep their last name.
    head_modules: suffix of another head -> our module of the head -> the file's.
    keys: our encoder's argument -> the key of config.json.
    fixed: keys that are always written with the same value (the encoder has no dropout on attention weights).
    expected: keys that must have these values if present.
    defaults: our argument -> its value if its key is missing; 'head_dropout' is the head's, by default the encoder's.
    neutral: values of arguments without a key.
    always: arguments of every encoder of the family.
    head_activation: of the classification head (see ``nn.heads``).
    head_dropout_key: key of the head's dropout rate.
    dropout_first: see ``nn.heads``.
    head_norm: whether the dense layer has a norm, see ``nn.heads``; then heads on tokens have both too.
    """

    model_type: ClassVar[str]
    architecture: ClassVar[str]
    modules: ClassVar[Mapping[str, tuple[str, ...]]]
    head_modules: ClassVar[Mapping[Suffix, Mapping[str, tuple[str, ...]]]] = {
        "ForTokenClassification": {"head.output": ("classifier",)},
        "ForQuestionAnswering": {"head.output": ("qa_outputs",)},
    }
    keys: ClassVar[Mapping[str, str]]
    fixed: ClassVar[Mapping[str, Any]] = {}
    expected: ClassVar[Mapping[str, Any]] = EXPECTED
    defaults: ClassVar[Mapping[str, Any]] = DEFAULTS
    neutral: ClassVar[Mapping[str, Any]] = NEUTRAL
    always: ClassVar[Mapping[str, Any]] = {}
    head_activation: ClassVar[str] = "tanh"
    head_dropout_key: ClassVar[str] = "classifier_dropout"
    dropout_first: ClassVar[bool] = False
    head_norm: ClassVar[bool] = False

    @property
    def prefix(self) -> str:
        """The prefix of the names of the encoder in a classifier's file; files of bare encoders have none."""
        return self.modules["encoder.embeddings.word"][0].partition(".")[0] + "."

    def names(self, parameters: Iterable[str], suffix: Suffix = SEQUENCE) -> dict[str, tuple[str, ...]]:
        """Return the file's names of each of our parameters; loading and saving both use this table.

        Args:
            parameters: names in a ``nn.heads.Model``, such as ``encoder.blocks.0.attention.qkv.weight``.
            suffix: of the model's head.
        """
        modules = {**self.modules, **CRF, **self.head_modules.get(suffix, {})}
        table = {}
        for parameter in parameters:
            module, _, kind = parameter.rpartition(".")
            number = re.search(r"\d+", module)
            theirs = modules[re.sub(r"\d+", "*", module)]
            table[parameter] = tuple(f"{name.replace('*', number[0] if number else '')}.{kind}" for name in theirs)
        return table

    def arguments(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Turn the contents of config.json into the arguments of :meth:`encoder`.

        Raises:
            CheckpointError: a key is missing, has a value of the wrong kind or size, or asks for something that the
                encoder does not implement (relative positions, a decoder, an unknown activation).
        """
        for key, value in self.expected.items():
            if config.get(key, value) != value:
                raise CheckpointError(
                    f"config.json: '{key}' is {reprlib.repr(config[key])}; only {value!r} is supported."
                )
        arguments = {name: read_argument(config, name, key, self.defaults) for name, key in self.keys.items()}
        if arguments["width"] % arguments["heads"]:
            raise CheckpointError(
                f"config.json: {arguments['heads']} attention heads do not divide a width of {arguments['width']}."
            )
        return {**arguments, **self.always}

    def encoder(self, arguments: Mapping[str, Any]) -> Stack:
        """Build the encoder for some arguments, with random weights."""
        return Encoder(**arguments)

    def head(self, arguments: Mapping[str, Any], plan: HeadPlan, dropout: float, pooling: str = "first") -> Head:
        """Build a head for an encoder of these arguments, with random weights."""
        width, outputs = arguments["width"], len(plan.labels)
        epsilon = arguments["epsilon"] if self.head_norm else None
        if plan.suffix == EntityPairHead.suffix:
            return EntityPairHead(width, outputs, dropout)
        if plan.suffix in HEADS:
            head = CrfHead if plan.crf else HEADS[plan.suffix]
            return head(width, outputs, dropout, self.head_activation, False, epsilon, self.head_norm)
        return ClassificationHead(
            width, outputs, dropout, self.head_activation, self.dropout_first, epsilon, pooling, plan.problem
        )

    def pooling(self, config: Mapping[str, Any]) -> str:
        """Return what the family's classifier reads, 'first' or 'mean'; see `nn.heads`."""
        return "first"

    def pooling_key(self, pooling: str) -> dict[str, str]:
        """Return the settings for what a classifier with a dense layer reads; the inverse of :meth:`pooling`."""
        return {}

    def config(
        self, arguments: Mapping[str, Any], head: HeadPlan | None, head_dropout: float, pad: int
    ) -> dict[str, Any]:
        """Write the arguments as a complete config.json; the inverse of :meth:`arguments`.

        Args:
            arguments: of the encoder.
            head: what the model's head computes; None for an encoder only.
            head_dropout: rate in the head.
            pad: id of the padding token.

        Raises:
            CheckpointError: the family cannot express the encoder.
        """
        arguments = {**NEUTRAL, **DEFAULTS, **arguments}
        self.check(arguments)
        config: dict[str, Any] = {
            "model_type": self.model_type,
            "architectures": [f"{self.architecture}{head.suffix if head else 'Model'}"],
            "pad_token_id": pad,
            "dtype": "float32",
            **self.fixed,
            **{key: arguments[name] for name, key in self.keys.items()},
            self.head_dropout_key: head_dropout,
        }
        if head:
            config["id2label"] = {str(number): label for number, label in enumerate(head.labels)}
            config["label2id"] = {label: number for number, label in enumerate(head.labels)}
            if head.suffix == SEQUENCE:
                config["problem_type"] = head.problem
        return config

    def check(self, arguments: Mapping[str, Any]) -> None:
        """Refuse an encoder that the family's files cannot represent.

        Raises:
            CheckpointError: it has no segments although the family needs them, or something the family has no key for.
        """
        if "types" in self.keys and not arguments["types"]:
            raise CheckpointError(
                f"the {self.model_type} family needs segment embeddings; build the encoder with some."
            )
        for name, value in {**self.neutral, **self.always}.items():
            if name not in self.keys and arguments[name] != value:
                raise CheckpointError(
                    f"the {self.model_type} family has no {name} but {value} (here {arguments[name]}); save as another "
                    "family."
                )

    def head_dropout(self, config: Mapping[str, Any]) -> float:
        """Return the head's dropout rate, which is the encoder's if config.json has no other."""
        if config.get(self.head_dropout_key) is None:
            return float(self.defaults.get("head_dropout", self.arguments(config)["dropout"]))
        return float(read_argument(config, "dropout", self.head_dropout_key))


def bert_encoder(prefix: str) -> dict[str, tuple[str, ...]]:
    """Return the table of BERT's encoder, which many families share, with their own prefix."""
    table: dict[str, tuple[str, ...]] = {
        "encoder.embeddings.word": ("embeddings.word_embeddings",),
        "encoder.embeddings.position": ("embeddings.position_embeddings",),
        "encoder.embeddings.segment": ("embeddings.token_type_embeddings",),
        "encoder.embeddings.norm": ("embeddings.LayerNorm",),
        "encoder.blocks.*.attention.qkv": (
            "encoder.layer.*.attention.self.query",
            "encoder.layer.*.attention.self.key",
            "encoder.layer.*.attention.self.value",
        ),
        "encoder.blocks.*.attention.output": ("encoder.layer.*.attention.output.dense",),
        "encoder.blocks.*.attention_norm": ("encoder.layer.*.attention.output.LayerNorm",),
        "encoder.blocks.*.up": ("encoder.layer.*.intermediate.dense",),
        "encoder.blocks.*.down": ("encoder.layer.*.output.dense",),
        "encoder.blocks.*.output_norm": ("encoder.layer.*.output.LayerNorm",),
    }
    return {ours: tuple(prefix + name for name in theirs) for ours, theirs in table.items()}


BERT_KEYS = {
    "vocabulary": "vocab_size",
    "width": "hidden_size",
    "layers": "num_hidden_layers",
    "heads": "num_attention_heads",
    "feed_forward": "intermediate_size",
    "window": "max_position_embeddings",
    "types": "type_vocab_size",
    "dropout": "hidden_dropout_prob",
    "activation": "hidden_act",
    "epsilon": "layer_norm_eps",
}


def read_argument(
    config: Mapping[str, Any],
    name: str,
    key: str,
    defaults: Mapping[str, Any] = DEFAULTS,
    activations: tuple[str, ...] = ACTIVATIONS,
) -> Any:
    """Read one value of config.json and check its type for our argument `name`.

    Raises:
        CheckpointError: the key is missing, or its value has another type.
    """
    value = config.get(key, defaults.get(name))
    if value is None:
        raise CheckpointError(f"config.json has no '{key}'; fetch the model again or add it.")
    if name == "activation":
        wanted, fine = f"one of {', '.join(activations)}", value in activations
    elif name == "sinusoidal":
        wanted, fine = "true or false", isinstance(value, bool)
    elif name in ("dropout", "epsilon"):
        wanted, fine = "a number from 0 to below 1", type(value) in (int, float) and 0 <= value < 1
    else:
        most = LARGEST.get(name, 1_000_000)
        wanted, fine = f"a whole number from 1 to {most:,}", type(value) is int and 1 <= value <= most
    if not fine:
        raise CheckpointError(f"config.json: '{key}' is {reprlib.repr(value)}, but must be {wanted}.")
    return value


def with_defaults(encoder: type[Stack], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Add the defaults of the encoder's class to its arguments."""
    taken = inspect.signature(encoder).parameters.items()
    return {**{name: value.default for name, value in taken if value.default is not value.empty}, **arguments}
