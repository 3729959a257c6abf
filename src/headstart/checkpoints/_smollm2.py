"""SmolLM2-135M-Instruct (Ben Allal et al. 2025) from the GGUF file of a package: 4-bit matrices, with tokenizer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import tokenizers
from tokenizers import AddedToken, decoders, models, pre_tokenizers

from headstart.checkpoints import _gguf
from headstart.core.contracts import Value
from headstart.core.errors import CheckpointError, shown
from headstart.core.files import write_text
from headstart.core.tensors import save_arrays
from headstart.text.turns import SYSTEM

# The file's names of modules -> Hugging Face's, outside the layers and inside one.
OUTSIDE = {"token_embd": "model.embed_tokens", "output_norm": "model.norm"}
LAYER = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
SPECIAL = 3  # the type of special tokens in the file's vocabulary
PRE_TOKENIZER = "smollm"  # the file's name of how texts are divided into words
# What the model's chat template says where a conversation has no system message.
DEFAULT_SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
Expected = TypeVar("Expected", int, float, str, list[Value])


def unpack(file: Path, folder: Path) -> None:
    """Write the model as a Hugging Face folder: Llama with float32 weights, exactly the values of the 4 bits."""
    write(_gguf.open_file(file), folder)


def write(opened: _gguf.Opened, folder: Path) -> None:
    """Write the folder of a model of Llama's kind.

    Args:
        opened: its GGUF file.
        folder: an existing folder.

    Raises:
        CheckpointError: a setting or a tensor is missing, or has another type or shape than it must have.
    """
    width, layers = (_setting(opened, f"llama.{name}", int) for name in ("embedding_length", "block_count"))
    heads, key_heads = (_setting(opened, f"llama.attention.{name}", int) for name in ("head_count", "head_count_kv"))
    inner, positions = (_setting(opened, f"llama.{name}", int) for name in ("feed_forward_length", "context_length"))
    tokens = _setting(opened, "tokenizer.ggml.tokens", list)
    if not (0 < heads <= width and 0 < key_heads <= heads) or width % (2 * heads) or heads % key_heads:
        raise CheckpointError(
            f"{opened.path}: {heads} heads and {key_heads} of keys do not fit a width of {width}; fetch the file again."
        )
    size = width // heads
    shapes = {"token_embd": (len(tokens), width), "output_norm": (width,)}
    inside: dict[str, tuple[int, ...]] = {
        **dict.fromkeys(("attn_norm", "ffn_norm"), (width,)),
        **dict.fromkeys(("attn_q", "attn_output"), (width, width)),
        **dict.fromkeys(("attn_k", "attn_v"), (key_heads * size, width)),
        **dict.fromkeys(("ffn_gate", "ffn_up"), (inner, width)),
        "ffn_down": (width, inner),
    }
    if layers * len(LAYER) + len(OUTSIDE) != len(opened.tensors):
        raise CheckpointError(
            f"{opened.path} holds {len(opened.tensors)} tensors, which are not those of {layers} layers; fetch the "
            "file again."
        )
    tensors = {f"{theirs}.weight": _tensor(opened, ours, shapes[ours]) for ours, theirs in OUTSIDE.items()}
    for layer in range(layers):
        for ours, theirs in LAYER.items():
            values = _tensor(opened, f"blk.{layer}.{ours}", inside[ours])
            if ours in ("attn_q", "attn_k"):
                values = halves_apart(values, size)
            tensors[f"model.layers.{layer}.{theirs}.weight"] = values
    theta = _setting(opened, "llama.rope.freq_base", float)
    begin, end, padding = (_setting(opened, f"tokenizer.ggml.{n}_token_id", int) for n in ("bos", "eos", "padding"))
    config: dict[str, Any] = {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "vocab_size": len(tokens),
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": key_heads,
        "head_dim": size,
        "intermediate_size": inner,
        "max_position_embeddings": positions,
        "hidden_act": "silu",
        "rms_norm_eps": _short(_setting(opened, "llama.attention.layer_norm_rms_epsilon", float)),
        "rope_theta": _short(theta),
        "rope_parameters": {"rope_type": "default", "rope_theta": _short(theta)},
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": True,
        "bos_token_id": begin,
        "eos_token_id": end,
        "pad_token_id": padding,
        "dtype": "float32",
    }
    backend, settings = _tokenizer(opened, tokens, positions)
    save_arrays(tensors, folder / "model.safetensors", {"format": "pt"})
    backend.save(str(folder / "tokenizer.json"), pretty=False)
    for path, content in (("config.json", config), ("tokenizer_config.json", settings)):
        write_text(folder / path, json.dumps(content, indent=2))


def halves_apart(values: np.ndarray, size: int) -> np.ndarray:
    """Reorder the rows of queries or keys ``(heads * size, width)`` from llama.cpp's order to Hugging Face's.

    Rotary positions turn pairs of a head's rows. In llama.cpp they are neighbours: 0 and 1, 2 and 3, ... In Hugging
    Face's models each row of the first half of a head is paired with one of the second half.

    >>> halves_apart(np.arange(8)[:, None], 4).ravel().tolist()
    [0, 2, 1, 3, 4, 6, 5, 7]
    """
    return values.reshape(-1, size // 2, 2, values.shape[1]).swapaxes(1, 2).reshape(values.shape)


def _tokenizer(opened: _gguf.Opened, tokens: list[Value], window: int) -> tuple[tokenizers.Tokenizer, dict[str, Any]]:
    """Build the tokenizer: byte-level BPE, in which each digit is a word."""
    kinds = _setting(opened, "tokenizer.ggml.token_type", list)
    merges = _setting(opened, "tokenizer.ggml.merges", list)
    rules = _setting(opened, "tokenizer.ggml.pre", str)
    ids = {str(token): number for number, token in enumerate(tokens)}
    parts = [str(merge).partition(" ") for merge in merges]
    pairs = [(left, right) for left, _, right in parts]
    if rules != PRE_TOKENIZER or len(kinds) != len(tokens) or len(ids) != len(tokens):
        raise CheckpointError(
            f"{opened.path} has a vocabulary of the kind {shown(rules)} with {len(ids)} different tokens and "
            f"{len(kinds)} types; only that of SmolLM2 is read."
        )
    if any(not {left, right, left + right} <= ids.keys() for left, right in pairs):
        raise CheckpointError(
            f"{opened.path} is damaged: it merges tokens that it does not have; fetch the file again."
        )
    backend = tokenizers.Tokenizer(models.BPE(ids, pairs))
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    backend.decoder = decoders.ByteLevel()
    special = [str(token) for token, kind in zip(tokens, kinds, strict=True) if kind == SPECIAL]
    backend.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    settings: dict[str, Any] = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": window}
    for role in ("bos", "eos", "unknown", "padding"):
        number = _setting(opened, f"tokenizer.ggml.{role}_token_id", int)
        if not 0 <= number < len(tokens):
            raise CheckpointError(f"{opened.path} is damaged: it has no token {number} ({role}); fetch the file again.")
        settings[f"{ {'unknown': 'unk', 'padding': 'pad'}.get(role, role) }_token"] = tokens[number]
    settings["chat_template"] = _setting(opened, "tokenizer.chat_template", str)
    settings[SYSTEM] = DEFAULT_SYSTEM
    return backend, settings


def _tensor(opened: _gguf.Opened, name: str, shape: tuple[int, ...]) -> np.ndarray:
    values = opened.values(f"{name}.weight")
    if values.shape != shape:
        raise CheckpointError(
            f"{opened.path}: '{name}' is {values.shape}, but must be {shape} by the settings; fetch the file again."
        )
    return values


def _setting(opened: _gguf.Opened, name: str, kind: type[Expected]) -> Expected:
    value = opened.settings.get(name)
    if type(value) is not kind:
        raise CheckpointError(
            f"{opened.path} has no setting '{name}' of the type {kind.__name__}; fetch the file again."
        )
    return value


def _short(value: float) -> float:
    """Return the shortest decimal number of a float32."""
    return float(str(np.float32(value)))
