"""Decoders, generation and the cache, against Hugging Face's models with the same weights and a padded loss."""

from itertools import pairwise

import numpy as np
import pytest
import tokenizers
import torch
import transformers

from headstart.checkpoints import generating
from headstart.nn.generate import Search, generate
from headstart.nn.packed import pack, pack_pairs

VOCABULARY, WIDTH, HEADS, END = 50, 16, 4, 2
SEARCHES = {
    "greedy": ({}, {}),
    "four beams": ({"num_beams": 4}, {"beams": 4}),
    "three beams, long texts, stopping early": (
        {"num_beams": 3, "length_penalty": 2.0, "early_stopping": True},
        {"beams": 3, "length_penalty": 2.0, "stop_early": True},
    ),
    "repetitions penalised": ({"repetition_penalty": 1.5}, {"repetition_penalty": 1.5}),
    "beams, repetitions penalised, short texts": (
        {"num_beams": 3, "repetition_penalty": 1.5, "length_penalty": 0.5},
        {"beams": 3, "repetition_penalty": 1.5, "length_penalty": 0.5},
    ),
}


def texts(count, least=2, most=9, seed=0):
    """Draw token ids of texts and their boundaries."""
    rng = np.random.default_rng(seed)
    ends = np.concatenate([[0], np.cumsum(rng.integers(least, most, count))])
    return rng.integers(3, VOCABULARY, ends[-1]), ends


def opened(theirs, folder):
    """Return one of Hugging Face's models, and the same opened here."""
    theirs.eval().save_pretrained(folder)
    vocabulary = {token: number for number, token in enumerate(["<s>", "<pad>", "</s>", "a"])}
    tokenizers.Tokenizer(tokenizers.models.BPE(vocabulary, [])).save(str(folder / "tokenizer.json"))
    return generating.load(folder).model.eval(), theirs


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory):
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=VOCABULARY,
        n_positions=64,
        n_embd=WIDTH,
        n_layer=2,
        n_head=HEADS,
        initializer_range=0.4,
        bos_token_id=0,
        eos_token_id=END,
    )
    return opened(transformers.GPT2LMHeadModel(config), tmp_path_factory.mktemp("gpt2"))


@pytest.fixture(scope="module")
def bart(tmp_path_factory):
    torch.manual_seed(1)
    config = transformers.BartConfig(
        vocab_size=VOCABULARY,
        max_position_embeddings=64,
        d_model=WIDTH,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=HEADS,
        decoder_attention_heads=HEADS,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        dropout=0.0,
        init_std=0.5,
        bos_token_id=0,
        pad_token_id=1,
        eos_token_id=END,
        decoder_start_token_id=END,
        forced_eos_token_id=END,
    )
    theirs = transformers.BartForConditionalGeneration(config)
    theirs.final_logits_bias[0, END] = 6.0  # so that texts end before the maximum length
    return opened(theirs, tmp_path_factory.mktemp("bart"))


def test_packed_logits_are_those_of_a_decoder(gpt2):
    ours, theirs = gpt2
    ids, ends = texts(5)
    batch = pack(ids, ends, np.arange(5))
    logits = ours(batch)
    for place, row in enumerate(batch.order.tolist()):
        expected = theirs(torch.tensor(ids[ends[row] : ends[row + 1]])[None]).logits[0]
        own = logits[batch.boundaries[place] : batch.boundaries[place + 1]]
        torch.testing.assert_close(own, expected, rtol=0, atol=1e-4)


def test_loss_and_gradients_are_those_of_a_padded_batch(bart):
    ours, theirs = bart
    (source, source_ends), (target, target_ends) = texts(7), texts(7, seed=1)
    target[target_ends[:-1]] = END  # the start token
    batch = pack_pairs((source, source_ends), (target, target_ends), np.arange(7))
    labels = np.append(target[1:], END)
    labels[target_ends[1:] - 1] = END  # each token's successor
    places = torch.cat([torch.arange(target_ends[row], target_ends[row + 1]) for row in batch.target.order.tolist()])
    loss = ours.cross_entropy(batch, torch.from_numpy(labels)[places])

    def padded(values, ends, filler):
        rows = [torch.tensor(values[start:stop]) for start, stop in pairwise(ends)]
        return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=filler)

    inputs = padded(source, source_ends, 1)
    output = theirs(
        input_ids=inputs,
        attention_mask=(inputs != 1).long(),
        decoder_input_ids=padded(target, target_ends, 1),
        labels=padded(labels, target_ends, -100),
    )
    expected = output.loss * len(labels)
    torch.testing.assert_close(loss, expected, rtol=1e-4, atol=1e-4)
    (ours_gradient,) = torch.autograd.grad(loss, [ours.decoder.blocks[0].cross.states.weight])
    attention = theirs.model.decoder.layers[0].encoder_attn
    gradients = torch.autograd.grad(expected, [attention.k_proj.weight, attention.v_proj.weight])
    torch.testing.assert_close(ours_gradient, torch.cat(gradients), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("search", SEARCHES)
def test_a_decoder_continues_texts_as_the_reference_does(gpt2, search):
    ours, theirs = gpt2
    ids, ends = texts(6)
    theirs_options, options = SEARCHES[search]
    answers = generate(ours, pack(ids, ends, np.arange(6)), Search(end=(END,), most=10, **options))
    for row, answer in enumerate(answers):
        begun = torch.tensor(ids[ends[row] : ends[row + 1]])[None]
        expected = theirs.generate(
            begun,
            attention_mask=torch.ones_like(begun),
            max_new_tokens=10,
            do_sample=False,
            pad_token_id=END,
            **theirs_options,
        )
        assert list(answer.ids) == expected[0, begun.shape[1] :].tolist()


@pytest.mark.parametrize("search", SEARCHES)
def test_an_encoder_and_decoder_answer_as_the_reference_does(bart, search):
    ours, theirs = bart
    ids, ends = texts(10)
    theirs_options, options = SEARCHES[search]
    chosen = Search(end=(END,), most=10, start=END, forced_end=END, **options)
    answers = generate(ours, pack(ids, ends, np.arange(10)), chosen)
    for row, answer in enumerate(answers):
        source = torch.tensor(ids[ends[row] : ends[row + 1]])[None]
        expected = theirs.generate(source, max_new_tokens=10, do_sample=False, **theirs_options)
        assert list(answer.ids) == expected[0, 1:].tolist()
    assert len({len(answer.ids) for answer in answers}) > 1  # some texts leave the batch before others


def test_scores_of_beams_are_log_probabilities_over_length(bart):
    ours, theirs = bart
    ids, ends = texts(1)
    (answer,) = generate(ours, pack(ids, ends, np.arange(1)), Search(end=(END,), most=10, start=END, beams=4))
    forced = torch.tensor([[END, *answer.ids]])
    with torch.no_grad():
        logits = theirs(input_ids=torch.tensor(ids)[None], decoder_input_ids=forced[:, :-1]).logits[0]
    logged = logits.log_softmax(-1).gather(1, forced[0, 1:, None]).sum()
    assert answer.score == pytest.approx(float(logged) / len(answer.ids), abs=1e-4)


def test_a_first_token_can_be_forced(bart):
    ours, _ = bart
    ids, ends = texts(3)
    chosen = Search(end=(END,), most=4, start=END, forced_start=7, beams=2)
    assert all(answer.ids[0] == 7 for answer in generate(ours, pack(ids, ends, np.arange(3)), chosen))


@pytest.mark.parametrize("options", [{"top_k": 3}, {"top_p": 0.6}, {"temperature": 0.5}])
def test_samples_have_the_frequencies_of_the_reference(gpt2, options):
    ours, theirs = gpt2
    ids, _ = texts(1)
    many = pack(np.tile(ids, 3000), np.arange(3001) * len(ids), np.arange(3000))
    drawn = generate(ours, many, Search(end=(END,), most=1, sample=True, **options), torch.Generator().manual_seed(0))
    counts = np.bincount([answer.ids[0] for answer in drawn], minlength=VOCABULARY) / 3000
    logits = theirs(torch.tensor(ids)[None]).logits[:, -1]
    warpers = transformers.LogitsProcessorList()
    if "temperature" in options:
        warpers.append(transformers.TemperatureLogitsWarper(options["temperature"]))
    if "top_k" in options:
        warpers.append(transformers.TopKLogitsWarper(options["top_k"]))
    if "top_p" in options:
        warpers.append(transformers.TopPLogitsWarper(options["top_p"]))
    expected = warpers(torch.tensor(ids)[None], logits).softmax(-1)[0].detach().numpy()
    assert np.abs(counts - expected).max() < 0.04
    assert not counts[expected == 0].any()


def test_sampling_from_beams_depends_on_the_generator_alone(gpt2):
    ours, _ = gpt2
    ids, ends = texts(2)
    search = Search(end=(END,), most=6, beams=3, sample=True, top_k=20)
    first, second, other = (
        generate(ours, pack(ids, ends, np.arange(2)), search, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)
    )
    assert first == second != other


@pytest.mark.parametrize("beams", [1, 2])
def test_texts_end_where_the_positions_of_the_model_do(gpt2, bart, beams):
    ids, ends = texts(3)
    batch = pack(ids, ends, np.arange(3))
    longest = max(np.diff(ends))
    never = Search(end=(VOCABULARY - 1,), most=100, beams=beams)
    assert max(len(answer.ids) for answer in generate(gpt2[0], batch, never)) == 64 - longest + 1
    started = Search(end=(VOCABULARY - 1,), most=100, start=END, beams=beams)
    assert max(len(answer.ids) for answer in generate(bart[0], batch, started)) == 64
