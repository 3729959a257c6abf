"""Folders of models that answer with a text: equal outputs here and in Hugging Face's models, read and written."""

import json

import numpy as np
import pytest
import safetensors.torch
import tokenizers
import torch
import transformers

from headstart.checkpoints import generating
from headstart.core.errors import CheckpointError
from headstart.nn.continuations import log_likelihoods
from headstart.nn.generate import Search, generate, stream
from headstart.nn.packed import pack, pack_pairs

VOCABULARY = 40
SIDES = {
    "d_model": 16,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 24,
    "decoder_ffn_dim": 32,
    "max_position_embeddings": 32,
    "init_std": 0.4,
    "pad_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 2,
    "forced_eos_token_id": 2,
    "scale_embedding": True,
}
T5 = {"d_model": 16, "d_kv": 6, "d_ff": 24, "num_layers": 2, "num_decoder_layers": 2, "num_heads": 4}
T5 |= {"decoder_start_token_id": 0, "initializer_factor": 1.0}
LLAMA = {"hidden_size": 16, "intermediate_size": 24, "num_attention_heads": 4, "num_key_value_heads": 2}
LLAMA |= {"num_hidden_layers": 2, "max_position_embeddings": 32, "initializer_range": 0.4, "eos_token_id": 2}
BERT = {"vocab_size": 40, "hidden_size": 16, "num_attention_heads": 4, "intermediate_size": 24}
BERT |= {"max_position_embeddings": 32, "initializer_range": 0.4, "num_hidden_layers": 2}


WIDER = {**BERT, "model_type": "bert", "hidden_size": 32}


def two_berts(vocab_size, **settings):
    """The settings of an encoder and a decoder that are BERTs."""
    sides = (transformers.BertConfig(**BERT) for _ in range(2))
    config = transformers.EncoderDecoderConfig.from_encoder_decoder_configs(*sides)
    config.update(settings)
    return config


MODELS = {
    "encoder-decoder": (
        "EncoderDecoderModel",
        two_berts,
        {"pad_token_id": 0, "eos_token_id": 2, "decoder_start_token_id": 1, "vocab_size": VOCABULARY},
    ),
    "bart": ("BartForConditionalGeneration", "BartConfig", SIDES),
    "mbart": ("MBartForConditionalGeneration", "MBartConfig", SIDES),
    "marian": ("MarianMTModel", "MarianConfig", {**SIDES, "activation_function": "swish"}),
    "t5": ("T5ForConditionalGeneration", "T5Config", T5),
    "t5 1.1": ("T5ForConditionalGeneration", "T5Config", {**T5, "feed_forward_proj": "gated-gelu"}),
    "t5, states not scaled": ("T5ForConditionalGeneration", "T5Config", {**T5, "tie_word_embeddings": False}),
    "mt5": ("MT5ForConditionalGeneration", "MT5Config", {**T5, "feed_forward_proj": "gated-gelu"}),
    "gpt2": (
        "GPT2LMHeadModel",
        "GPT2Config",
        {"n_embd": 16, "n_layer": 2, "n_head": 4, "n_positions": 32, "initializer_range": 0.4, "eos_token_id": 2},
    ),
    "llama": ("LlamaForCausalLM", "LlamaConfig", {**LLAMA, "tie_word_embeddings": True}),
    "llama, own output": ("LlamaForCausalLM", "LlamaConfig", {**LLAMA, "head_dim": 6, "rope_theta": 500.0}),
}


def vocabulary(folder):
    """Write a tokenizer of letters."""
    ids = {token: number for number, token in enumerate(["<s>", "<pad>", "</s>", *map(chr, range(97, 123))])}
    tokenizers.Tokenizer(tokenizers.models.BPE(ids, [])).save(str(folder / "tokenizer.json"))


def configured(config, settings):
    """Return the settings of a model, by the name of their class or by a function."""
    make = getattr(transformers, config) if isinstance(config, str) else config
    return make(**{"vocab_size": VOCABULARY, **settings})


@pytest.fixture(scope="module", params=MODELS)
def opened(request, tmp_path_factory):
    """A random model that Hugging Face's library wrote, and the same one opened here."""
    model, config, settings = MODELS[request.param]
    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    theirs = getattr(transformers, model)(configured(config, settings)).eval()
    for name, weight in theirs.named_parameters():
        if "norm" in name or name.endswith("bias"):
            weight.data.add_(torch.randn_like(weight) * 0.1)
    bias = dict(theirs.named_buffers()).get("final_logits_bias")
    if bias is not None:
        bias.copy_(torch.randn_like(bias))
    theirs.save_pretrained(folder)
    vocabulary(folder)
    return theirs, generating.load(folder)


def test_a_matrix_of_the_logits_is_read_where_the_file_has_one(tmp_path):
    folder = broken(tmp_path, "t5", {"tie_word_embeddings": False})
    matrix = torch.randn(VOCABULARY, T5["d_model"])
    safetensors.torch.save_file(
        safetensors.torch.load_file(folder / "model.safetensors") | {"lm_head.weight": matrix},
        folder / "model.safetensors",
        {"format": "pt"},
    )
    vocabulary(folder)
    ours = generating.load(folder)
    assert torch.equal(ours.model.decoder.output.weight, matrix)
    theirs = transformers.AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
    assert largest_difference(theirs, ours.model) < 1e-4


def texts(seed, count=5):
    rng = np.random.default_rng(seed)
    ends = np.concatenate([[0], np.cumsum(rng.integers(2, 9, count))])
    return rng.integers(3, VOCABULARY, ends[-1]), ends


def logits(model, source, target):
    """Return Hugging Face's logits for one source and target, or for one text."""
    target = torch.from_numpy(target)[None]
    with torch.no_grad():
        if model.config.is_encoder_decoder:
            return model(input_ids=torch.from_numpy(source)[None], decoder_input_ids=target).logits[0]
        return model(target).logits[0]


@torch.no_grad()
def largest_difference(theirs, ours):
    """Return the largest difference of logits of random texts."""
    (source, source_ends), (target, ends) = texts(0), texts(1)
    rows = np.arange(len(ends) - 1)
    if ours.encoder is None:
        batch = inner = pack(target, ends, rows)
    else:
        batch = pack_pairs((source, source_ends), (target, ends), rows)
        inner = batch.target
    own, most = ours.eval()(batch), 0.0
    for place, row in enumerate(inner.order.tolist()):
        expected = logits(theirs, source[source_ends[row] : source_ends[row + 1]], target[ends[row] : ends[row + 1]])
        part = own[inner.boundaries[place] : inner.boundaries[place + 1]]
        most = max(most, float((part - expected).abs().max()))
    return most


def test_logits_are_those_of_the_reference(opened):
    theirs, ours = opened
    assert largest_difference(theirs, ours.model) < 1e-4


def test_a_saved_folder_opens_in_transformers_and_here(opened, tmp_path):
    theirs, ours = opened
    generating.save(tmp_path, ours)
    auto = "AutoModelForSeq2SeqLM" if ours.model.encoder is not None else "AutoModelForCausalLM"
    again, report = getattr(transformers, auto).from_pretrained(tmp_path, output_loading_info=True)
    assert type(again) is type(theirs)
    assert all("pooler" in key for key in report["missing_keys"])  # of an encoder of classifiers, which is not used
    assert not report["unexpected_keys"]
    assert largest_difference(again.eval(), ours.model) < 1e-4
    assert largest_difference(theirs, generating.load(tmp_path).model) < 1e-4


@pytest.mark.parametrize("beams", [1, 3])
def test_texts_are_generated_as_the_reference_does(opened, beams):
    theirs, ours = opened
    ids, ends = texts(2)
    begun = ours.search
    search = Search(begun.end, 8, begun.start, begun.forced_start, begun.forced_end, beams=beams)
    answers = generate(ours.model.eval(), pack(ids, ends, np.arange(5)), search)
    for row, answer in enumerate(answers):
        one = torch.from_numpy(ids[ends[row] : ends[row + 1]])[None]
        options = {"max_new_tokens": 8, "num_beams": beams, "do_sample": False}
        expected = theirs.generate(one, attention_mask=torch.ones_like(one), **options)[0]
        skipped = 1 if ours.model.encoder is not None else one.shape[1]
        assert list(answer.ids) == expected[skipped:].tolist()[: len(answer.ids)]
        assert len(answer.ids) == 8 or answer.ids[-1] in search.end


def test_a_stream_has_the_tokens_of_a_whole_text(opened):
    _, ours = opened
    ids, ends = texts(2)
    for sample, penalty in ((False, 1.0), (True, 1.5)):
        search = Search(ours.search.end, 8, ours.search.start, sample=sample, repetition_penalty=penalty)
        one = pack(ids, ends, np.array([1]))
        whole = generate(ours.model.eval(), one, search, torch.Generator().manual_seed(3))[0].ids
        assert tuple(stream(ours.model, one, search, torch.Generator().manual_seed(3))) == whole


def test_continuations_are_as_likely_as_in_the_reference(opened):
    theirs, ours = opened
    ids, ends = texts(3, 4)
    rng = np.random.default_rng(4)
    given = [[rng.integers(3, VOCABULARY, rng.integers(1, 6)).tolist() for _ in range(3)] for _ in range(4)]
    start = ours.search.start
    likely = log_likelihoods(ours.model.eval(), pack(ids, ends, np.arange(4)), start, given)
    for text, several in enumerate(given):
        source = ids[ends[text] : ends[text + 1]]
        for place, tokens in enumerate(several):
            before = source if start is None else np.array([start])
            every = logits(theirs, source, np.concatenate([before, tokens[:-1]]).astype(np.int64))
            logged = every[len(before) - 1 :].log_softmax(-1)
            expected = sum(float(logged[step, token]) for step, token in enumerate(tokens))
            assert float(likely[text, place]) == pytest.approx(expected, abs=1e-3)


def broken(tmp_path, model, change):
    """Return the folder of a model with a changed config.json."""
    name, config, settings = MODELS[model]
    getattr(transformers, name)(configured(config, settings)).save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    (tmp_path / "generation_config.json").unlink()
    return tmp_path


@pytest.mark.parametrize(
    ("model", "change", "message"),
    [
        ("t5", {"feed_forward_proj": "gated-tanh"}, "'feed_forward_proj' is 'gated-tanh', but must be one of relu"),
        ("t5", {"relative_attention_max_distance": 99}, "'relative_attention_max_distance' is 99; only 128"),
        ("gpt2", {"n_head": 3}, "3 attention heads do not divide a width of 16"),
        ("gpt2", {"eos_token_id": None}, "has no 'eos_token_id', so texts would never end"),
        ("gpt2", {"eos_token_id": 99}, "'eos_token_id' is 99, but must be a whole number from 0 to below 40"),
        (
            "gpt2",
            {"bos_token_id": None, "n_layer": 900},
            "asks for 900 layers, but .* the two files do not belong together",
        ),
        ("gpt2", {"model_type": "gpt3"}, "is of type 'gpt3'; of models that answer with a text, Headstart reads bart"),
        ("encoder-decoder", {"encoder": {"model_type": "gpt2"}}, "'encoder' must be the settings of a model of type"),
        ("encoder-decoder", {"decoder": {**WIDER}}, "the encoder is 16 wide and the decoder 32; only equal widths"),
        ("llama", {"num_key_value_heads": 3}, "3 heads of keys cannot be shared by 4 attention heads"),
        ("llama", {"head_dim": 5}, "rotary positions need heads of even width, not 5"),
        ("llama", {"rope_parameters": {"rope_type": "yarn"}}, "the rotation is {'rope_type': 'yarn'}; only the plain"),
        ("llama", {"rope_parameters": {"rope_theta": 0}}, "'rope_theta' is 0, but must be a number above 1"),
    ],
)
def test_what_is_not_supported_is_one_sentence(tmp_path, model, change, message):
    with pytest.raises(CheckpointError, match=message):
        generating.load(broken(tmp_path, model, change))


def test_a_folder_without_settings_is_no_model(tmp_path):
    with pytest.raises(CheckpointError, match=r"no config\.json in .*: this is not a model folder"):
        generating.load(tmp_path)
