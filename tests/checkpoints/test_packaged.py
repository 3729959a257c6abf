"""Models unpacked from packages' files: small files written here, and the real ones where they are installed."""

import importlib.metadata
import json
import os
import struct

os.environ["TRANSFORMERS_VERBOSITY"] = "error"

import numpy as np
import pytest
import tokenizers
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer, BertModel

from headstart.checkpoints import _charsmap, _e5, _minilm_l3, hub
from headstart.core.errors import UsageError

WIDTH, LAYERS, HEADS, INNER, ROWS, POSITIONS, TYPES = 32, 2, 4, 64, 12, 8, 2
PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁", "▁a", "a", "b", "ab", "▁ab", "<mask>"]
MATRICES = {"q": (WIDTH, WIDTH), "k": (WIDTH, WIDTH), "v": (WIDTH, WIDTH), "ao": (WIDTH, WIDTH)}
MATRICES |= {"fi": (INNER, WIDTH), "fo": (WIDTH, INNER)}


def quantised(values):
    """Write values in blocks of 32, one after the other, and return what the blocks stand for."""
    data, stands_for = b"", []
    for block in values.reshape(-1, 32):
        scale = np.float16(np.abs(block).max() / 7)
        numbers = [int(np.clip(round(float(value) / float(scale)) + 8, 0, 15)) for value in block]
        data += struct.pack("<e", scale) + bytes(numbers[j] | numbers[j + 16] << 4 for j in range(16))
        stands_for += [(number - 8) * float(scale) for number in numbers]
    return data, np.array(stands_for, dtype=np.float32).reshape(values.shape)


@pytest.fixture
def e5(tmp_path, rng):
    """A small file of the layout, and the tensors it stands for under Hugging Face's names."""
    out = struct.pack("<4sI7ifi", b"E5S1", 1, WIDTH, LAYERS, HEADS, INNER, ROWS, POSITIONS, TYPES, 1e-12, 32)
    encoded = [piece.encode() for piece in PIECES]
    out += struct.pack("<i4iQ", len(PIECES), 0, 2, 1, 3, sum(map(len, encoded)))
    out += struct.pack(f"<{len(PIECES) + 1}I", 0, *np.cumsum([len(piece) for piece in encoded]).tolist())
    out += struct.pack(f"<{len(PIECES)}f", *[-float(number) for number in range(len(PIECES))]) + b"".join(encoded)
    replaced = {"Ａ": "a", "㏂": "a b", "\u200b": ""}
    entries = b"".join(struct.pack(f"<IB{len(v)}I", ord(k), len(v), *map(ord, v)) for k, v in replaced.items())
    out += struct.pack("<iI", len(replaced), len(entries)) + entries
    shapes = {"emb.word": (ROWS, WIDTH), "emb.pos": (POSITIONS, WIDTH), "emb.type": (TYPES, WIDTH)}
    shapes |= {f"l{i}.{name}.w": shape for i in range(LAYERS) for name, shape in MATRICES.items()}
    single = {"emb.ln.w": WIDTH, "emb.ln.b": WIDTH}
    single |= {f"l{i}.{name}.b": shape[0] for i in range(LAYERS) for name, shape in MATRICES.items()}
    single |= {f"l{i}.{name}.{end}": WIDTH for i in range(LAYERS) for name in ("aln", "oln") for end in "wb"}
    directory, body, tensors = struct.pack("<i", len(shapes) + len(single)), b"", {}
    length = sum(2 + len(name) + 21 for name in (*shapes, *single)) + 4
    for name, shape in {**shapes, **single}.items():
        values = rng.normal(size=shape).astype(np.float32)
        data, stands_for = quantised(values) if name in shapes else (values.tobytes(), values)
        place = len(out) + length + len(body)
        directory += struct.pack("<H", len(name)) + name.encode()
        directory += struct.pack("<BIQQ", name in shapes, values.size, place, len(data))
        body += data
        tensors[_e5._name(name)] = stands_for
    path = tmp_path / "e5.bin"
    path.write_bytes(out + directory + body)
    return path, tensors


def test_four_bits_become_the_numbers_they_stand_for(e5, tmp_path):
    path, tensors = e5
    (tmp_path / "model").mkdir()
    _e5.unpack(path, tmp_path / "model")
    unpacked = load_file(tmp_path / "model" / "model.safetensors")
    assert unpacked.keys() == tensors.keys()
    for name, expected in tensors.items():
        np.testing.assert_array_equal(unpacked[name].numpy(), expected)


def test_transformers_opens_what_was_unpacked(e5, tmp_path):
    (tmp_path / "model").mkdir()
    _e5.unpack(e5[0], tmp_path / "model")
    _, news = BertModel.from_pretrained(tmp_path / "model", output_loading_info=True)
    assert set(news["missing_keys"]) == {"pooler.dense.weight", "pooler.dense.bias"}
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "model")
    assert tokenizer.convert_ids_to_tokens(tokenizer("Ａb  \u200ba ㏂")["input_ids"]) == [
        *("<s>", "▁ab", "▁a", "▁a", "▁", "b", "</s>")
    ]
    assert (tokenizer.pad_token_id, tokenizer.unk_token_id, tokenizer.mask_token_id) == (1, 3, 10)
    assert tokenizer.model_max_length == POSITIONS


def test_a_map_of_many_characters_is_compiled_as_it_is(rng):
    points = rng.choice(np.r_[0x80:0xD800, 0xE000:0x20000], size=1000, replace=False)
    replaced = {chr(point): "".join(map(chr, rng.integers(0x61, 0x3000, size=rng.integers(0, 4)))) for point in points}
    normalizer = tokenizers.normalizers.Precompiled(_charsmap.compiled(replaced))
    for point in [*points.tolist(), *range(1, 1000)]:
        assert normalizer.normalize_str(chr(point)) == replaced.get(chr(point), chr(point))


def message(*fields):
    """Write a Protocol Buffers message of numbers, texts and bytes."""

    def number(value):
        return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + number(value >> 7)

    out = b""
    for field, value in fields:
        if isinstance(value, int):
            out += number(field << 3) + number(value)
        else:
            value = value.encode() if isinstance(value, str) else value
            out += number(field << 3 | 2) + number(len(value)) + value
    return out


def test_matrices_of_an_onnx_file_are_named_by_their_nodes(rng):
    bias, matrix = rng.normal(size=300).astype(np.float32), rng.normal(size=(200, 300)).astype(np.float32)
    tensors = [("model.0.auto_model.encoder.layer.0.intermediate.dense.bias", bias), ("onnx::MatMul_1", matrix)]
    name = "/model/model.0/auto_model/encoder/layer.0/intermediate/dense/MatMul"
    node = message((1, "states"), (1, "onnx::MatMul_1"), (2, "out"), (3, name), (4, "MatMul"))
    other = message((1, "a"), (1, "b"), (2, "c"), (3, "/model/model.0/auto_model/x/MatMul"), (4, "MatMul"))
    stored = [message(*[(1, n) for n in t.shape], (2, 1), (8, k), (9, t.tobytes())) for k, t in tensors]
    graph = message((1, node), (1, other), (2, "graph"), *[(5, tensor) for tensor in stored])
    matrices = _minilm_l3._tensors(message((1, 8), (7, graph)))
    assert matrices.keys() == {f"encoder.layer.0.intermediate.dense.{end}" for end in ("weight", "bias")}
    np.testing.assert_array_equal(matrices["encoder.layer.0.intermediate.dense.weight"], matrix.T)
    np.testing.assert_array_equal(matrices["encoder.layer.0.intermediate.dense.bias"], bias)


def installed(name):
    try:
        return hub.find(name)
    except UsageError as error:
        pytest.skip(str(error))  # the message says how the package is installed


def test_minilm_l3_computes_what_its_onnx_file_computes():
    onnxruntime = pytest.importorskip("onnxruntime", reason="no onnxruntime to compare with: install the extra bench")
    folder, entry = installed("minilm-l3"), hub.PACKAGED["minilm-l3"]
    file = importlib.metadata.distribution(entry.distribution).locate_file(entry.file)
    session = onnxruntime.InferenceSession(str(file))
    texts = ["The cat sat on the mat.", "No."]
    batch = AutoTokenizer.from_pretrained(folder)(texts, padding=True, return_tensors="pt")
    asked = {name: batch[name].numpy() for name in ("input_ids", "attention_mask")}
    states = session.run(["onnx::Shape_422"], asked)[0]  # the last layer's
    with torch.no_grad():
        ours = BertModel.from_pretrained(folder).eval()(**{name: batch[name] for name in asked}).last_hidden_state
    mask = asked["attention_mask"].astype(bool)
    np.testing.assert_allclose(ours.numpy()[mask], states[mask], atol=1e-5)


def test_e5_small_is_named_for_what_it_is():
    assert hub.title("e5-small") == "e5-small, 4-bit, unpacked"
    assert hub.PACKAGED["e5-small"].description.startswith("e5-small, 4-bit, unpacked")


def test_e5_small_is_a_complete_bert():
    folder = installed("e5-small")
    config = json.loads((folder / "config.json").read_text())
    assert (config["num_hidden_layers"], config["hidden_size"], config["vocab_size"]) == (12, 384, 250_037)
    assert (folder / "model.safetensors").stat().st_size == pytest.approx(4 * 117.5e6, rel=0.01)
