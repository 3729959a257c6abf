"""Faults put into models that write texts, and into ROUGE."""

from __future__ import annotations

from benchmarks._mutants import Mutant

CROSS_ENTROPY = "nn/test_cross_entropy.py"
GENERATE, GENERATING, SEQ2SEQ = "nn/test_generate.py", "checkpoints/test_generating.py", "contenders/test_seq2seq.py"
GGUF, CAUSAL = "checkpoints/test_gguf.py", "contenders/test_causal.py"
WRITERS, ROUGE = "contracts/test_protocol_of_writers.py", "metrics/test_rouge.py"

MUTANTS = (
    Mutant(
        "a decoder learns the token that it has just read",
        "contenders/_lessons.py",
        "labels.append(np.concatenate([body, [search.end[0]]]))",
        "labels.append(np.concatenate([[search.start], body]))",
        (SEQ2SEQ,),
    ),
    Mutant(
        "the gradient of smoothed labels forgets what is spread over all tokens",
        "nn/cross_entropy.py",
        "gradient -= smoothing / vocabulary",
        "pass",
        (CROSS_ENTROPY,),
    ),
    Mutant(
        "the vocabulary of targets is learnt on validation rows",
        "contenders/seq2seq.py",
        "_generative.own_tokenizer(task, train, options.vocabulary",
        "_generative.own_tokenizer(task, validation, options.vocabulary",
        (WRITERS,),
    ),
    Mutant(
        "a finished hypothesis is compared without its length",
        "nn/generate.py",
        "best / length**search.length_penalty > finished[-1][0]",
        "best > finished[-1][0]",
        (GENERATE,),
    ),
    Mutant(
        "beams keep their keys when they continue others",
        "nn/cache.py",
        "self.ancestors = self.ancestors.gather(1, beams[:, :, None].expand(-1, -1, self.steps))",
        "pass",
        (GENERATE,),
    ),
    Mutant(
        "a decoder with biases by distance sees later tokens",
        "nn/layer.py",
        "scores = bias.masked_fill(ahead, -torch.inf) if causal else bias",
        "scores = bias",
        (GENERATING,),
    ),
    Mutant(
        "cross attention reads the sources in another order",
        "nn/packed.py",
        "sources, targets = (_in_order(*texts, rows[order]) for texts in (source, target))",
        "sources, targets = _in_order(*source, rows), _in_order(*target, rows[order])",
        (GENERATE,),
    ),
    Mutant(
        "of several targets the one that needs most edits counts",
        "metrics/ter.py",
        "min(edits for edits, _ in counts)",
        "max(edits for edits, _ in counts)",
        ("metrics/test_sums.py",),
    ),
    Mutant(
        "queries and keys of a GGUF file keep llama.cpp's order",
        "checkpoints/_smollm2.py",
        "values = halves_apart(values, size)",
        "pass",
        (GGUF,),
    ),
    Mutant(
        "a decoder alone predicts each token of an answer from the one before the last",
        "contenders/_lessons.py",
        "places = np.repeat(last - counts - first, counts)",
        "places = np.repeat(last - counts - first - 1, counts)",
        (CAUSAL,),
    ),
    Mutant(
        "an answer is right if it is likelier than one other",
        "contenders/_likelihood.py",
        "(scores[:, :1] > scores[:, 1:]).all(axis=1)",
        "(scores[:, :1] > scores[:, 1:]).any(axis=1)",
        (CAUSAL,),
    ),
    Mutant(
        "perplexity per character is that per token",
        "metrics/likelihood.py",
        "np.exp(sums[..., LOSS] / sums[..., per])",
        "np.exp(sums[..., LOSS] / sums[..., TOKENS])",
        ("tasks/test_generation.py",),
    ),
    Mutant(
        "of several summaries the worst counts",
        "metrics/rouge.py",
        "scores = [max(_f1_of_grams",
        "scores = [min(_f1_of_grams",
        (ROUGE,),
    ),
    Mutant(
        "the longest common subsequence ignores the order",
        "metrics/rouge.py",
        "row = ((row + matches) | (row - matches)) & full",
        "row &= ~masks[word]",
        (ROUGE,),
    ),
)
