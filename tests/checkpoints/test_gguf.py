"""GGUF files: tensors of all types, damage, and a model unpacked with the outputs that transformers computes."""

import math
import os
import struct

os.environ["TRANSFORMERS_VERBOSITY"] = "error"

import numpy as np
import pytest
import tokenizers
import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from headstart.checkpoints import _gguf, _smollm2, generating, header, hub
from headstart.core.errors import CheckpointError, UsageError
from headstart.nn.packed import pack
from headstart.text import turns

F32, F16, Q4_0, Q4_1, Q8_0 = 0, 1, 2, 3, 8
WIDTH, HEADS, KEY_HEADS, INNER, LAYERS = 64, 2, 1, 96, 2
SIZE = WIDTH // HEADS
SENTENCE = "The old man walked slowly to the river, because his dog was waiting there for him."
SHUFFLED = "river him dog because the slowly waiting old to there walked his The man for was."


def text(value):
    return struct.pack("<Q", len(value.encode())) + value.encode()


def setting(name, value):
    """Write a setting: a number, a text or a list of either."""
    kinds = {bool: (7, "?"), int: (4, "I"), float: (6, "f")}

    def plain(one):
        return (
            (8, text(one))
            if isinstance(one, str)
            else (kinds[type(one)][0], struct.pack(f"<{kinds[type(one)][1]}", one))
        )

    if isinstance(value, list):
        body = b"".join(plain(one)[1] for one in value)
        return text(name) + struct.pack("<IIQ", 9, plain(value[0])[0], len(value)) + body
    kind, body = plain(value)
    return text(name) + struct.pack("<I", kind) + body


def blocks(values, kind):
    """Quantise values, one block of 32 after the other, and return what the blocks stand for."""
    if kind in (F32, F16):
        stored = values.astype("<f4" if kind == F32 else "<f2")
        return stored.tobytes(), stored.astype(np.float32)
    data, stands_for = b"", []
    for block in values.reshape(-1, 32):
        least = float(np.float16(block.min())) if kind == Q4_1 else 0.0
        steps = {Q4_0: 7, Q4_1: 15, Q8_0: 127}[kind]
        scale = np.float16((np.abs(block).max() if kind != Q4_1 else np.ptp(block)) / steps)
        numbers = [round((float(value) - least) / float(scale)) for value in block]
        data += struct.pack("<e", scale)
        if kind == Q8_0:
            numbers = [min(127, max(-127, number)) for number in numbers]
            data += struct.pack("<32b", *numbers)
        else:
            moved = [min(15, max(0, number + (8 if kind == Q4_0 else 0))) for number in numbers]
            numbers = [number - (8 if kind == Q4_0 else 0) for number in moved]
            data += struct.pack("<e", least) if kind == Q4_1 else b""
            data += bytes(moved[j] | moved[j + 16] << 4 for j in range(16))
        stands_for += [np.float32(np.float32(scale) * np.float32(number) + np.float32(least)) for number in numbers]
    return data, np.array(stands_for, dtype=np.float32).reshape(values.shape)


def gguf(settings, tensors, version=3, counts=None):
    """Write a file of settings and of tensors (values, type); return it and what the tensors stand for."""
    head = b"".join(setting(name, value) for name, value in settings.items())
    body, directory, stands_for = b"", b"", {}
    for name, (values, kind) in tensors.items():
        data, stands_for[name] = blocks(values, kind)
        sizes = struct.pack(f"<{values.ndim}Q", *reversed(values.shape))
        directory += text(name) + struct.pack("<I", values.ndim) + sizes + struct.pack("<IQ", kind, len(body))
        body += data + bytes(-len(data) % 32)
    head = struct.pack("<4sIQQ", b"GGUF", version, *(counts or (len(tensors), len(settings)))) + head + directory
    return head + bytes(-len(head) % 32) + body, stands_for


@pytest.fixture
def opened(tmp_path):
    def write(content):
        (tmp_path / "some.gguf").write_bytes(content)
        return _gguf.open_file(tmp_path / "some.gguf")

    return write


@pytest.mark.parametrize("kind", [F32, F16, Q4_0, Q4_1, Q8_0])
def test_tensors_of_every_type_are_what_their_blocks_stand_for(opened, rng, kind):
    values = rng.normal(size=(3, 64)).astype(np.float32)
    content, stands_for = gguf({}, {"first": (rng.normal(size=5), F16), "a": (values, kind)})
    read = opened(content).values("a")
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, stands_for["a"])
    np.testing.assert_allclose(read, values, atol={F32: 0, F16: 1e-2, Q4_0: 0.4, Q4_1: 0.3, Q8_0: 0.02}[kind])


def test_settings_are_numbers_texts_and_lists(opened):
    settings = {"a": 3, "b": 1.5, "c": "Größe", "d": True, "e": ["x", "", "yz"], "f": [1, 2, 3]}
    assert opened(gguf(settings, {})[0]).settings == settings


WHOLE, _ = gguf({"name": "x", "list": [1, 2]}, {"a": (np.ones((2, 32)), Q4_0), "b": (np.ones(3), F32)})


def changed(before, after, content=WHOLE):
    assert content.count(before) == 1
    return content.replace(before, after)


DAMAGED = {
    "not a GGUF file": b"GGML" + WHOLE[4:],
    "is not a GGUF file": b"",
    "is GGUF of version 2; only version 3 is read": gguf({}, {}, version=2)[0],
    "has no room for 1099511627776 settings": gguf({"a": 1}, {}, counts=(0, 2**40))[0],
    "has no room for 1099511627776 tensors": gguf({"a": 1}, {}, counts=(2**40, 1))[0],
    "it ends early": WHOLE[:50],
    "it has no room for 4294967298 numbers": changed(struct.pack("<IQ", 4, 2), struct.pack("<IQ", 4, 2**32 + 2)),
    "it has no room for 4294967298 texts": changed(struct.pack("<IQ", 4, 2), struct.pack("<IQ", 8, 2**32 + 2)),
    "a setting is of the unknown type 9": changed(struct.pack("<IQ", 4, 2), struct.pack("<IQ", 9, 2)),
    "a text is no UTF-8": changed(text("x"), text("x")[:-1] + b"\xff"),
    "the setting 'name' is there twice": changed(text("list"), text("name")),
    "the tensor 'a' is there twice": changed(text("b"), text("a")),
    "the tensor 'a' has 9 sizes": changed(text("a") + struct.pack("<I", 2), text("a") + struct.pack("<I", 9)),
    "the tensor 'b' has the sizes": changed(struct.pack("<IQI", 1, 3, F32), struct.pack("<IQI", 1, 2**63, F32)),
    "holds tensors of type 12; only F32, F16": changed(struct.pack("<IQI", 1, 3, F32), struct.pack("<IQI", 1, 3, 12)),
    "the rows of 'b' have 3 values, which blocks of 32 do not divide": changed(
        struct.pack("<IQI", 1, 3, F32), struct.pack("<IQI", 1, 3, Q8_0)
    ),
    "the tensor 'b' ends beyond the end of the file": WHOLE[:-40],
    "'general.alignment' is '0', but must be a positive number": gguf({"general.alignment": 0}, {})[0],
}


@pytest.mark.parametrize("message", DAMAGED)
def test_damage_is_one_clear_error(opened, message):
    with pytest.raises(CheckpointError, match=message.replace("'general.alignment'", r"general\.alignment")):
        opened(DAMAGED[message])


def test_every_beginning_of_a_file_is_refused(opened):
    for length in range(0, len(WHOLE) - 32, 5):
        with pytest.raises(CheckpointError):
            opened(WHOLE[:length])


def test_a_missing_tensor_is_named(opened):
    with pytest.raises(CheckpointError, match="has no tensor 'c'; fetch the file again"):
        opened(WHOLE).values("c")


# --- a model of Llama's kind -----------------------------------------------------------------------------------------

LETTERS = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TOKENS = [*SPECIAL, *LETTERS, "Ġt", "he", "Ġthe"]
SETTINGS = {
    "llama.embedding_length": WIDTH,
    "llama.block_count": LAYERS,
    "llama.attention.head_count": HEADS,
    "llama.attention.head_count_kv": KEY_HEADS,
    "llama.feed_forward_length": INNER,
    "llama.context_length": 128,
    "llama.rope.freq_base": 5000.0,
    "llama.attention.layer_norm_rms_epsilon": 1e-5,
    "tokenizer.ggml.tokens": TOKENS,
    "tokenizer.ggml.token_type": [3] * 3 + [1] * (len(TOKENS) - 3),
    "tokenizer.ggml.merges": ["Ġ t", "h e", "Ġt he"],
    "tokenizer.ggml.pre": "smollm",
    "tokenizer.ggml.bos_token_id": 1,
    "tokenizer.ggml.eos_token_id": 2,
    "tokenizer.ggml.unknown_token_id": 0,
    "tokenizer.ggml.padding_token_id": 2,
    "tokenizer.chat_template": "{{ messages }}",
}
INSIDE = {"attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm"}
INSIDE |= {f"attn_{name}": f"self_attn.{name}_proj" for name in "qkv"} | {"attn_output": "self_attn.o_proj"}
INSIDE |= {f"ffn_{name}": f"mlp.{name}_proj" for name in ("gate", "up", "down")}
NAMES = {"token_embd": "model.embed_tokens", "output_norm": "model.norm"}
NAMES |= {f"blk.{n}.{ours}": f"model.layers.{n}.{theirs}" for n in range(LAYERS) for ours, theirs in INSIDE.items()}


def interleaved(weight):
    """Reorder the rows of a head's halves as llama.cpp stores them: row i of each half becomes rows 2i and 2i + 1."""
    order = [
        head * SIZE + half * SIZE // 2 + i
        for head in range(len(weight) // SIZE)
        for i in range(SIZE // 2)
        for half in (0, 1)
    ]
    return weight[order]


@pytest.fixture(scope="module")
def reference():
    """A random model of transformers."""
    config = LlamaConfig(
        vocab_size=len(TOKENS),
        hidden_size=WIDTH,
        intermediate_size=INNER,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=KEY_HEADS,
        max_position_embeddings=128,
        rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "default", "rope_theta": 5000.0},
        tie_word_embeddings=True,
        initializer_range=0.2,
    )
    torch.manual_seed(0)
    return LlamaForCausalLM(config).eval()


def file_of(model, kinds=lambda name: F32):
    weights = {name: weight.detach().numpy() for name, weight in model.named_parameters()}
    tensors = {}
    for ours, theirs in NAMES.items():
        weight = weights[f"{theirs}.weight"]
        weight = interleaved(weight) if ours.endswith(("attn_q", "attn_k")) else weight
        tensors[f"{ours}.weight"] = (weight, kinds(ours) if weight.ndim > 1 else F32)
    return tensors


def gap(theirs, ours, ids):
    with torch.no_grad():
        own = ours.eval()(pack(np.array(ids), np.array([0, len(ids)]), np.array([0])))
        return float((theirs(torch.tensor([ids])).logits[0] - own).abs().max())


def test_unpacked_queries_and_keys_turn_as_in_the_model_that_was_converted(opened, reference, tmp_path):
    (tmp_path / "model").mkdir()
    _smollm2.write(opened(gguf(SETTINGS, file_of(reference))[0]), tmp_path / "model")
    ids = list(range(5, 45))
    assert gap(reference, generating.load(tmp_path / "model").model, ids) < 1e-4
    assert (
        gap(LlamaForCausalLM.from_pretrained(tmp_path / "model").eval(), generating.load(tmp_path / "model").model, ids)
        < 1e-4
    )


def test_quantised_weights_are_written_as_they_are(opened, reference, tmp_path):
    (tmp_path / "model").mkdir()
    kinds = {"token_embd": Q8_0, "attn_v": Q4_0, "attn_output": F16}
    content, stands_for = gguf(SETTINGS, file_of(reference, lambda name: kinds.get(name.split(".")[-1], Q4_1)))
    _smollm2.unpack(tmp_path / "some.gguf" if opened(content) else None, tmp_path / "model")
    weights = LlamaForCausalLM.from_pretrained(tmp_path / "model").state_dict()
    for ours, theirs in NAMES.items():
        read = weights[f"{theirs}.weight"].numpy()
        read = interleaved(read) if ours.endswith(("attn_q", "attn_k")) else read
        np.testing.assert_array_equal(read, stands_for[f"{ours}.weight"])


def test_the_vocabulary_divides_digits_and_conversations_are_chatml(opened, reference, tmp_path):
    (tmp_path / "model").mkdir()
    _smollm2.write(opened(gguf(SETTINGS, file_of(reference))[0]), tmp_path / "model")
    tokenizer = generating.load(tmp_path / "model").tokenizer
    ids = tokenizer.encode_whole(["to the 12"]).tokens.tolist()
    assert [TOKENS[number] for number in ids] == ["t", "o", "Ġthe", "Ġ", "1", "2"]
    assert AutoTokenizer.from_pretrained(tmp_path / "model")("to the 12")["input_ids"] == ids
    turned = tokenizer.backend.decode(turns.encode(tokenizer, [[("user", "Hi")]]).tokens, skip_special_tokens=False)
    assert turned == (
        f"<|im_start|>system\n{_smollm2.DEFAULT_SYSTEM}<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"llama.block_count": "two"}, r"has no setting 'llama\.block_count' of the type int"),
        ({"llama.block_count": 3}, "holds 20 tensors, which are not those of 3 layers"),
        ({"llama.attention.head_count": 5}, "5 heads and 1 of keys do not fit a width of 64"),
        ({"llama.feed_forward_length": 64}, r"'blk\.0\.ffn_gate' is \(96, 64\), but must be \(64, 64\)"),
        ({"tokenizer.ggml.pre": "llama-bpe"}, "a vocabulary of the kind 'llama-bpe' with .* only that of SmolLM2"),
        ({"tokenizer.ggml.merges": ["q q"]}, "it merges tokens that it does not have"),
        ({"tokenizer.ggml.bos_token_id": 9999}, r"it has no token 9999 \(bos\)"),
    ],
)
def test_a_model_that_does_not_fit_together_is_refused(opened, reference, tmp_path, change, message):
    file = opened(gguf(SETTINGS | change, file_of(reference))[0])
    with pytest.raises(CheckpointError, match=message):
        _smollm2.write(file, tmp_path)


def test_a_model_that_writes_is_no_encoder(opened, reference, tmp_path):
    _smollm2.write(opened(gguf(SETTINGS, file_of(reference))[0]), tmp_path)
    with pytest.raises(CheckpointError, match="is of type 'llama', which writes texts, as in the task generation"):
        header.open_header(tmp_path)


def test_smollm2_computes_what_transformers_computes():
    """The packaged model: equal logits, a sentence is likelier than its words in disorder, and equal conversations."""
    try:
        folder = hub.find("smollm2")
    except UsageError as error:
        pytest.skip(str(error))  # the message says how the package is installed
    ours, theirs = generating.load(folder), LlamaForCausalLM.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    losses = []
    for sentence in (SENTENCE, SHUFFLED):
        ids = tokenizer(sentence)["input_ids"]
        assert ours.tokenizer.encode_whole([sentence]).tokens.tolist() == ids
        assert gap(theirs, ours.model, ids) < 1e-4
        with torch.no_grad():
            losses.append(float(theirs(torch.tensor([ids]), labels=torch.tensor([ids])).loss))
    assert losses[0] < 5 < 8 < losses[1]
    talk = [("user", "Hello, who are you?"), ("assistant", "I am 12."), ("user", "Fine  day!\n")]
    messages = [{"role": role, "content": content} for role, content in talk]
    expected = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True)["input_ids"]
    assert turns.encode(ours.tokenizer, [talk]).tokens.tolist() == expected
    assert math.isclose(sum(weight.numel() for weight in ours.model.parameters()), 134.5e6, rel_tol=0.01)
