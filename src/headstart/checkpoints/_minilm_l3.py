"""paraphrase-MiniLM-L3 (Wang et al. 2020; Reimers and Gurevych 2019) from the ONNX file of a package.

Only the required part of Protocol Buffers is parsed: fields of a message, and of an ONNX model the initialisers and the
    nodes
that name the matrices. The vocabulary is BERT's uncased one, which the package lacks; it is taken from minilm.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from headstart.checkpoints import hub
from headstart.core.files import write_text
from headstart.core.tensors import save_arrays

# Field numbers in onnx.proto: of a model, a graph, a node, a tensor.
GRAPH = 7
NODE, INITIALISER = 1, 5
INPUT, NODE_NAME, KIND = 1, 3, 4
SIZES, TENSOR_NAME, RAW = 1, 8, 9
INSIDE = "auto_model"  # the encoder's name in the file
TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt")


def unpack(file: Path, folder: Path) -> None:
    """Write the model as a Hugging Face folder: BERT with float32 weights."""
    tensors = _tensors(file.read_bytes())
    words = tensors["embeddings.word_embeddings.weight"]
    layers = len({name.split(".")[2] for name in tensors if name.startswith("encoder.layer.")})
    config = {
        "model_type": "bert",
        "architectures": ["BertModel"],
        "vocab_size": words.shape[0],
        "hidden_size": words.shape[1],
        "num_hidden_layers": layers,
        "num_attention_heads": 12,
        "intermediate_size": tensors["encoder.layer.0.intermediate.dense.bias"].shape[0],
        "max_position_embeddings": tensors["embeddings.position_embeddings.weight"].shape[0],
        "type_vocab_size": tensors["embeddings.token_type_embeddings.weight"].shape[0],
        "layer_norm_eps": 1e-12,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "pad_token_id": 0,
        "dtype": "float32",
    }
    write_text(folder / "config.json", json.dumps(config, indent=2))
    save_arrays(tensors, folder / "model.safetensors", {"format": "pt"})
    beside = hub.find("minilm")
    for name in TOKENIZER:
        if (beside / name).is_file():
            shutil.copyfile(beside / name, folder / name)


def _tensors(data: bytes) -> dict[str, np.ndarray]:
    """Read the weights under Hugging Face's names; a matrix of a product is named by its node and transposed."""
    graph = next(value for field, value in _fields(memoryview(data)) if field == GRAPH)
    assert isinstance(graph, memoryview)
    stored: dict[str, np.ndarray] = {}
    tensors: dict[str, np.ndarray] = {}
    parts = [(field, list(_fields(value))) for field, value in _fields(graph) if isinstance(value, memoryview)]
    for field, part in parts:
        if field == INITIALISER:
            sizes = [value for number, value in part if number == SIZES and isinstance(value, int)]
            raw = next(value for number, value in part if number == RAW and isinstance(value, memoryview))
            stored[_texts(part, TENSOR_NAME)[0]] = np.frombuffer(raw, dtype="<f4").reshape(sizes)
    for name, tensor in stored.items():
        if f"{INSIDE}." in name:
            tensors[name.partition(f"{INSIDE}.")[2]] = tensor
    for field, part in parts:
        if field == NODE and "MatMul" in _texts(part, KIND):
            matrix = stored.get(_texts(part, INPUT)[1])
            if matrix is not None:
                path = _texts(part, NODE_NAME)[0].partition(f"{INSIDE}/")[2].removesuffix("/MatMul")
                tensors[f"{path.replace('/', '.')}.weight"] = np.ascontiguousarray(matrix.T)
    return tensors


def _texts(part: list[tuple[int, int | memoryview]], wanted: int) -> list[str]:
    return [bytes(value).decode() for field, value in part if field == wanted and isinstance(value, memoryview)]


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield a message's fields: number, and an integer or the bytes of text or of a nested message."""
    place = 0

    def number() -> int:
        nonlocal place
        value = shift = 0
        while True:
            byte = message[place]
            place += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while place < len(message):
        key = number()
        if key & 7 == 0:
            yield key >> 3, number()
            continue
        size = {1: 8, 5: 4}.get(key & 7) or number()
        yield key >> 3, message[place : place + size]
        place += size
