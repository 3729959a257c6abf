"""Generate texts: greedy, beam search, or sampling, with the key-value cache; texts that have ended leave the batch.

Shapes: texts = those that are generated together, beams = hypotheses of each, vocabulary = token ids.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import Tensor

from headstart.nn.cache import Cache
from headstart.nn.decoder import Generator
from headstart.nn.packed import Batch

NEVER = -1e9  # added to the score of what must not be chosen


@dataclass(frozen=True)
class Search:
    """How texts are generated.

    end: ids of the tokens that end a text.
    most: maximum number of generated tokens, besides that of positions that the model has.
    start: id of the token before the first generated one; None to continue a given beginning.
    forced_start: id of the first generated token, such as a language; None for any.
    forced_end: id of the token that a text of the maximum length ends with; None for any.
    beams: number of hypotheses; 1 for the best token at each step, or a sampled one.
    length_penalty: exponent of the length that the score of a hypothesis is divided by; above 0 favours long texts.
    stop_early: whether to stop as soon as there are as many finished hypotheses as beams.
    sample: whether to draw tokens from their distribution.
    temperature: divisor of the logits, above 0, when sampling.
    top_k: number of the most probable tokens that are drawn from; 0 for all.
    top_p: least probability, up to 1, of the most probable tokens that are drawn from (Holtzman et al. 2020).
    repetition_penalty: divisor of positive and factor of negative scores of tokens that the text already contains
        (Keskar et al. 2019, section 4.1); 1 for none.
    """

    end: tuple[int, ...]
    most: int
    start: int | None = None
    forced_start: int | None = None
    forced_end: int | None = None
    beams: int = 1
    length_penalty: float = 1.0
    stop_early: bool = False
    sample: bool = False
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    repetition_penalty: float = 1.0


@dataclass(frozen=True)
class Text:
    """A generated text.

    ids: its tokens, the one that ends it included, without the start token or the given beginning.
    score: its log probability, divided by a power of its length if beams were searched.
    """

    ids: tuple[int, ...]
    score: float


@torch.inference_mode()
def generate(model: Generator, batch: Batch, search: Search, generator: torch.Generator | None = None) -> list[Text]:
    """Generate one text for each source, or continue each beginning.

    Args:
        model: the model, in evaluation mode.
        batch: sources if the model has an encoder; otherwise beginnings of texts.
        search: how.
        generator: of the random numbers for sampling; None for torch's.

    Returns:
        the texts, in the order of the request.
    """
    cache, first, begun = _begun(model, batch, search)
    search = _room(model, begun, search)
    texts = (_beams if search.beams > 1 else _one)(model, cache, first, begun, search, generator)
    answers: list[Text] = [Text((), 0.0)] * len(texts)
    for place, text in zip(batch.order.tolist(), texts, strict=True):
        answers[place] = text
    return answers


def _begun(model: Generator, batch: Batch, search: Search) -> tuple[Cache, Tensor, list[list[int]]]:
    """Read sources or beginnings; return them with the states that predict the next tokens, and each text so far."""
    cache = Cache(model.decoder, search.beams)
    if model.encoder is not None:
        assert search.start is not None
        cache.read_sources(model.encoder(batch), batch)
        cache.begin(len(batch))
        first = cache.step(batch.ids.new_full((len(batch) * search.beams,), search.start))  # (rows, width)
        return cache, first, [[search.start] for _ in range(len(batch))]
    ids, ends = batch.ids.tolist(), batch.boundaries.tolist()
    first = cache.read_beginnings(batch).repeat_interleave(search.beams, dim=0)
    return cache, first, [ids[start:stop] for start, stop in pairwise(ends)]


def _room(model: Generator, begun: Sequence[list[int]], search: Search) -> Search:
    """Limit the number of generated tokens to that of positions that the model has."""
    room = model.decoder.embeddings.window
    return replace(search, most=min(search.most, room - max(map(len, begun)) + 1)) if room else search


def _one(
    model: Generator,
    cache: Cache,
    states: Tensor,
    begun: Sequence[list[int]],
    search: Search,
    generator: torch.Generator | None,
) -> list[Text]:
    """Generate with one hypothesis per text."""
    device = states.device
    alive = torch.arange(len(begun), device=device)
    tokens: list[list[int]] = [[] for _ in begun]
    scores = torch.zeros(len(begun), device=device)
    seen = _seen(begun, model, device) if search.repetition_penalty != 1 else None
    end = torch.tensor(search.end, device=device)
    for step in range(search.most):
        chosen, logits = _choose(model.decoder.logits(states).float(), seen, step, search, generator)
        scores[alive] += logits.log_softmax(-1).gather(1, chosen[:, None])[:, 0]
        if seen is not None:
            seen[torch.arange(len(chosen), device=device), chosen] = True
        for text, token in zip(alive.tolist(), chosen.tolist(), strict=True):
            tokens[text].append(token)
        going = torch.isin(chosen, end, invert=True).nonzero()[:, 0]  # (going,)
        if not len(going) or step == search.most - 1:
            break
        if len(going) < len(alive):
            alive, chosen = alive[going], chosen[going]
            cache.keep(going)
            seen = None if seen is None else seen[going]
        states = cache.step(chosen)
    return [Text(tuple(ids), score) for ids, score in zip(tokens, scores.tolist(), strict=True)]


def _choose(
    logits: Tensor, seen: Tensor | None, step: int, search: Search, generator: torch.Generator | None
) -> tuple[Tensor, Tensor]:
    """Choose a token for each text, int64 ``(texts,)``; return them with the logits they are chosen by."""
    if seen is not None:
        logits = _penalised(logits, seen, search.repetition_penalty)
    logits = _forced(logits, step, search)
    if not search.sample:
        return logits.argmax(-1), logits
    logits = _narrowed(logits / search.temperature, search)
    return torch.multinomial(logits.softmax(-1), 1, generator=generator)[:, 0], logits


@torch.inference_mode()
def stream(model: Generator, batch: Batch, search: Search, generator: torch.Generator | None = None) -> Iterator[int]:
    """Generate the tokens that :func:`generate` would give a single text, each as soon as it is chosen.

    Args: as for :func:`generate`; `search` has one beam.
    """
    cache, states, begun = _begun(model, batch, search)
    seen = _seen(begun, model, states.device) if search.repetition_penalty != 1 else None
    search = _room(model, begun, search)
    for step in range(search.most):
        chosen, _ = _choose(model.decoder.logits(states).float(), seen, step, search, generator)
        yield int(chosen)
        if int(chosen) in search.end:
            return
        if seen is not None:
            seen[0, chosen] = True
        states = cache.step(chosen)


def _beams(
    model: Generator,
    cache: Cache,
    states: Tensor,
    begun: Sequence[list[int]],
    search: Search,
    generator: torch.Generator | None,
) -> list[Text]:
    """Search with several hypotheses per text (Graves 2012), each ended one ranked by its score over its length.

    At each step the best continuations of all hypotheses are ranked, twice as many as beams if one token ends texts.
    Those that end a text are finished hypotheses if they are among the first `beams`; the best others are continued. A
    text leaves the batch when its best hypothesis cannot improve on the worst finished one any more, as far as that is
    known at its current length; the order of ties and this rule are those of Hugging Face's implementation.
    """
    device, beams = states.device, search.beams
    wide = max(2, 1 + len(search.end)) * beams
    end = torch.tensor(search.end, device=device)
    alive = torch.arange(len(begun), device=device)
    finished: list[list[tuple[float, tuple[int, ...]]]] = [[] for _ in begun]
    tokens = torch.zeros(len(begun), beams, 0, dtype=torch.int64, device=device)
    scores = torch.full((len(begun), beams), NEVER, device=device)
    scores[:, 0] = 0.0
    seen = None
    if search.repetition_penalty != 1:
        seen = _seen(begun, model, device).repeat_interleave(beams, dim=0)  # (rows, vocabulary)
    for step in range(search.most):
        logged = model.decoder.logits(states).float().log_softmax(-1)  # (rows, vocabulary)
        if seen is not None:
            logged = _penalised(logged, seen, search.repetition_penalty)
        logged = _forced(logged, step, search)
        if search.sample:
            logged = _narrowed(logged / search.temperature, search)
        vocabulary = logged.shape[1]
        total = (logged.view(len(alive), beams, -1) + scores[:, :, None]).flatten(1)  # (texts, beams * vocabulary)
        if search.sample:
            places = torch.multinomial(total.softmax(-1), wide, generator=generator)
            best, order = total.gather(1, places).sort(descending=True)
            places = places.gather(1, order)
        else:
            best, places = total.topk(wide)  # (texts, wide)
        parents, added = places // vocabulary, places % vocabulary
        extended = torch.cat([_gather(tokens, parents), added[:, :, None]], dim=2)  # (texts, wide, step + 1)
        ends = torch.isin(added, end) if step < search.most - 1 else torch.ones_like(added, dtype=torch.bool)
        going = (best + ends * NEVER).topk(beams).indices  # (texts, beams)
        _finish(finished, alive, extended[:, :beams], best[:, :beams], ends[:, :beams], step + 1, search)
        scores, tokens, parents = best.gather(1, going), _gather(extended, going), parents.gather(1, going)
        if step == search.most - 1:
            break
        open_ = torch.tensor(
            [
                _can_improve(finished[text], score, step + 1, search)
                for text, score in zip(alive.tolist(), scores[:, 0].tolist(), strict=True)
            ],
            device=device,
        )
        if not open_.any():
            break
        cache.reorder(parents)
        if seen is not None:
            rows = (torch.arange(len(alive), device=device)[:, None] * beams + parents).flatten()
            seen = seen[rows]
            seen[torch.arange(len(rows), device=device), tokens[:, :, -1].flatten()] = True
        if not open_.all():
            kept = open_.nonzero()[:, 0]
            cache.keep(kept)
            alive, scores, tokens = alive[kept], scores[kept], tokens[kept]
            seen = None if seen is None else seen.view(len(open_), beams, -1)[kept].flatten(0, 1)
        states = cache.step(tokens[:, :, -1].flatten())
    return [Text(ids, score) for score, ids in (hypotheses[0] for hypotheses in finished)]


def _finish(
    finished: list[list[tuple[float, tuple[int, ...]]]],
    alive: Tensor,
    tokens: Tensor,
    scores: Tensor,
    ends: Tensor,
    length: int,
    search: Search,
) -> None:
    """Add the hypotheses that end, in place; the best ones are kept, the earlier of equal ones first.

    Args:
        finished: of each text, best first.
        alive: int64 ``(texts,)``, the number of each text.
        tokens: of the best hypotheses, int64 ``(texts, beams, length)``.
        scores: their log probabilities, ``(texts, beams)``.
        ends: whether each has ended, bool ``(texts, beams)``.
        length: their length.
        search: how texts are generated.
    """
    rated = (scores / length**search.length_penalty).tolist()
    for place, beam in ends.nonzero().tolist():
        hypotheses = finished[int(alive[place])]
        if search.stop_early and len(hypotheses) >= search.beams:
            continue
        hypotheses.append((rated[place][beam], tuple(tokens[place, beam].tolist())))
    for text in alive[ends.any(dim=1)].tolist():
        finished[text] = sorted(finished[text], key=lambda hypothesis: -hypothesis[0])[: search.beams]


def _can_improve(finished: Sequence[tuple[float, tuple[int, ...]]], best: float, length: int, search: Search) -> bool:
    """Return whether the best unfinished hypothesis may end among the finished ones.

    Args:
        finished: of the text, best first.
        best: log probability of the best unfinished hypothesis.
        length: its length.
        search: how texts are generated.
    """
    if len(finished) < search.beams:
        return True
    return not search.stop_early and best / length**search.length_penalty > finished[-1][0]


def _gather(tokens: Tensor, beams: Tensor) -> Tensor:
    """Take hypotheses of each text: ``(texts, beams, length)`` to ``(texts, wanted, length)``."""
    return tokens.gather(1, beams[:, :, None].expand(-1, -1, tokens.shape[2]))


def _seen(begun: Sequence[list[int]], model: Generator, device: torch.device) -> Tensor:
    """Return which tokens each text contains, bool ``(texts, vocabulary)``."""
    seen = torch.zeros(len(begun), len(model.decoder.embeddings.word.weight), dtype=torch.bool, device=device)
    for row, ids in enumerate(begun):
        seen[row, ids] = True
    return seen


def _penalised(scores: Tensor, seen: Tensor, penalty: float) -> Tensor:
    """Lower the scores of tokens that a text contains, ``(rows, vocabulary)``."""
    return torch.where(seen, torch.where(scores < 0, scores * penalty, scores / penalty), scores)


def _forced(scores: Tensor, step: int, search: Search) -> Tensor:
    """Leave only the token that must be first or last, if there is one."""
    forced = search.forced_start if step == 0 else None
    if step == search.most - 1 and search.forced_end is not None:
        forced = search.forced_end
    if forced is None:
        return scores
    only = torch.full_like(scores, -torch.inf)
    only[:, forced] = 0.0
    return only


def _narrowed(logits: Tensor, search: Search) -> Tensor:
    """Leave only the most probable tokens, by number and by total probability; the others get minus infinity."""
    if search.top_k:
        least = logits.topk(min(search.top_k, logits.shape[-1])).values[..., -1:]
        logits = logits.masked_fill(logits < least, -torch.inf)
    if search.top_p < 1:
        ascending, order = logits.sort()
        # Tokens whose cumulative probability from below is at most 1 - top_p are left out, but never the last one.
        out = ascending.softmax(-1).cumsum(-1) <= 1 - search.top_p
        out[..., -1] = False
        logits = logits.masked_fill(out.scatter(-1, order, out), -torch.inf)
    return logits
