"""Find facts in texts: `python run.py < texts.txt > predictions.jsonl`, or `run.predict(["A text."])`.

A line is a text, or JSON: a text, or a list of words. Needs onnxruntime, tokenizers and numpy. A fact is a list of its
start, its end and its type.
"""

from __future__ import annotations

import json
import os
import re
import sys
from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent
CERTAIN = 100.0  # score of no fact for a word without tokens
MOST = 2**22  # sequences in a batch times their squared length
Part = tuple[int, int, str]


# <transformer>
# <onnx>
def start() -> tuple[set[str], Callable[[dict[str, np.ndarray]], np.ndarray]]:
    """Open the model: the names of its inputs, and a function from inputs to logits."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", "0"))  # 0 for one per core
    session = onnxruntime.InferenceSession(FOLDER / "model.onnx", options, ["CPUExecutionProvider"])
    return {each.name for each in session.get_inputs()}, lambda inputs: session.run(None, inputs)[0]


# </onnx>
@cache
def opened() -> tuple[Any, set[str], Callable[[dict[str, np.ndarray]], np.ndarray]]:
    """Open the tokenizer and the model, once."""
    import tokenizers

    tokenizer = tokenizers.Tokenizer.from_file(str(FOLDER / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer, *start()


# </transformer>
@cache
def settings() -> dict[str, Any]:
    """Read the settings, once."""
    read_settings: dict[str, Any] = json.loads((FOLDER / "task.json").read_text("utf-8"))
    return read_settings


def divided(value: Any) -> tuple[str, list[tuple[int, int]]]:
    """Return the text of an input, and where its words are."""
    task = settings()
    if isinstance(value, str):
        return value, [match.span() for match in re.finditer(task["word"], value)]
    text, before, spans = "", "", list[tuple[int, int]]()
    for word in map(str, value):
        if spans and not (re.match(task["unspaced"], word) and re.match(task["unspaced"], before[-1:])):
            text += " "
        spans.append((len(text), len(text) + len(word)))
        text, before = text + word, word
    return text, spans


# <transformer>
def encoded(text: str, spans: Sequence[tuple[int, int]]) -> tuple[list[list[int]], list[tuple[int, int]]]:
    """Return the tokens of each window of a text, and of each word its window and place there; -1 without tokens."""
    task = settings()
    words = [
        [(" " if begin and text[begin - 1].isspace() else "") + text[begin:end]]  # with the space before it
        for begin, end in spans
    ]
    clear = [[word[: task["characters"]].encode("utf-8", "replace").decode("utf-8")] for (word,) in words]
    encodings = opened()[0].encode_batch(clear, is_pretokenized=True, add_special_tokens=False)
    ids = [each.ids for each in encodings]
    body = [number for part in ids for number in part]
    owners = [word for word, part in enumerate(ids) for _ in part]
    opening, closing = task["opening"], task["closing"]
    room = max(1, task["window"] - len(opening) - len(closing))
    last = max(0, len(body) - room)
    starts = [*range(0, last, max(1, room - int(task["overlap"] * room))), last]
    windows, places = [], [(-1, -1)] * len(spans)
    most = [-1.0] * len(spans)  # of each word, the tokens around it in the window where it has most
    for window, first in enumerate(starts):
        windows.append([*opening, *body[first : first + room], *closing])
        owned = owners[first : first + room]
        for number, word in enumerate(owned):
            place = len(opening) + number
            before = np.inf if window == 0 else place
            after = np.inf if window == len(starts) - 1 else len(windows[-1]) - place
            if (number == 0 or owned[number - 1] != word) and min(before, after) >= most[word]:
                most[word], places[word] = min(before, after), (window, place)
    return windows, places


def logits_of(sequences: Sequence[list[int]]) -> list[np.ndarray]:
    """Return the logits of the tokens of each sequence, ``(tokens, tags)``."""
    task, (_, names, run) = settings(), opened()
    order = sorted(range(len(sequences)), key=lambda row: -len(sequences[row]))
    found: list[np.ndarray] = [np.zeros((0, len(task["tags"])))] * len(sequences)
    while order:
        longest = max(1, len(sequences[order[0]]))
        rows = order[: min(32, max(1, MOST // longest**2))]
        shape = len(rows), longest
        inputs = {name: np.zeros(shape, np.int64) for name in ("input_ids", "attention_mask", "token_type_ids")}
        inputs["input_ids"] += task["padding"]
        for place, row in enumerate(rows):
            inputs["input_ids"][place, : len(sequences[row])] = sequences[row]
            inputs["attention_mask"][place, : len(sequences[row])] = 1
        logits = run({name: inputs[name] for name in names})
        for place, row in enumerate(rows):
            found[row] = logits[place, : len(sequences[row])]
        order = order[len(rows) :]
    return found


def by_model(texts: Sequence[tuple[str, list[tuple[int, int]]]]) -> list[np.ndarray]:
    """Return the scores of the tags of each text's words, ``(words, tags)``: those of the words' first tokens."""
    inputs = [encoded(*text) for text in texts]
    found = iter(logits_of([window for windows, _ in inputs for window in windows]))
    nothing = CERTAIN * np.eye(1, len(settings()["tags"]), dtype=np.float32)[0]
    scores = []
    for windows, places in inputs:
        logits = [next(found) for _ in windows]
        scores.append(np.array([logits[window][place] if window >= 0 else nothing for window, place in places]))
    return scores


# </transformer>
# <crf>
@cache
def weights() -> tuple[dict[str, int], np.ndarray]:
    """Open the features' numbers and their weights ``(features, tags)``, once."""
    names = json.loads((FOLDER / "features.json").read_text("utf-8"))
    return {name: number for number, name in enumerate(names)}, np.load(FOLDER / "weights.npy")


def form(word: str) -> str:
    """Return what kind of characters a word has, each run of one kind once."""
    kinds = ""
    for letter in word:
        kind = "A" if letter.isupper() else "0" if letter.isdigit() else "a" if letter.isalpha() else letter
        kinds += kind if not kinds.endswith(kind) else ""
    return kinds


def by_features(texts: Sequence[tuple[str, list[tuple[int, int]]]]) -> list[np.ndarray]:
    """Return the scores of the tags of each text's words, ``(words, tags)``: sums over their features."""
    numbers, table = weights()
    scores = []
    for text, spans in texts:
        row = [text[begin:end].strip() for begin, end in spans]
        low, forms = ["", "", *map(str.lower, row), "", ""], ["", *map(form, row), ""]
        scores.append(np.zeros((len(row), table.shape[1]), np.float32))
        for place, word in enumerate(row):
            far, before, own, after, further = low[place : place + 5]
            names = ["1", f"w={word}", f"l={own}", f"f={forms[place + 1]}"]
            names += [f"<{own[:length]}" for length in (1, 2, 3)] + [f">{own[-length:]}" for length in (1, 2, 3, 4)]
            names += [f"-2={far}", f"-1={before}", f"+1={after}", f"+2={further}", f"-2-1={far} {before}"]
            names += [f"-1+0={before} {own}", f"+0+1={own} {after}", f"+1+2={after} {further}"]
            names += [f"-1+1={before} {after}"]
            names += [f"f-1={forms[place]} {forms[place + 1]}", f"f+1={forms[place + 1]} {forms[place + 2]}"]
            scores[-1][place] = table[[numbers[name] for name in names if name in numbers]].sum(0)
    return scores


# </crf>
def best(scores: np.ndarray) -> tuple[list[str], float]:
    """Return the most likely tags of words, of all sequences that are allowed, and their probability."""
    tags = settings()["tags"]
    if not len(scores):
        return [], 1.0
    inside = np.array([tag.startswith("I-") for tag in tags])
    names = np.array([tag[1:] for tag in tags])
    moves = np.where(inside & (names[:, None] != names), -np.inf, 0.0) + np.array(settings()["moves"])
    highest = sums = scores[0] + np.where(inside, -np.inf, 0.0)
    back = []
    for row in scores[1:]:
        through = highest[:, None] + moves
        back.append(through.argmax(0))
        highest = through.max(0) + row
        sums = np.logaddexp.reduce(sums[:, None] + moves, axis=0) + row
    chosen = [int(highest.argmax())]
    for step in reversed(back):
        chosen.append(int(step[chosen[-1]]))
    probability = np.exp(min(0.0, highest.max() - np.logaddexp.reduce(sums)))
    return [tags[number] for number in reversed(chosen)], float(probability)


def parts_of(tags: Sequence[str], spans: Sequence[tuple[int, int]]) -> list[Part]:
    """Return the parts of a text that the tags of its words mark."""
    parts: list[Part] = []
    for tag, (begin, end) in zip(tags, spans, strict=True):
        if tag.startswith("B-"):
            parts.append((begin, end, tag[2:]))
        elif tag.startswith("I-"):
            parts[-1] = (parts[-1][0], end, tag[2:])
    return parts


# <event>
def linked(text: str, parts: Sequence[Part]) -> list[list[Any]]:
    """Return triggers, and arguments each with the nearest trigger that has its role, in its sentence first."""
    task = settings()
    ends = [*(match.end() for match in re.finditer(task["sentence"], text)), len(text)]
    triggers = {part[:2]: part[2].removeprefix("trigger:") for part in parts if part[2].startswith("trigger:")}
    links = []
    for begin, end, name in parts:
        role, sentence = name.removeprefix("role:"), bisect_right(ends, begin)
        possible = [
            (bisect_right(ends, span[0]) != sentence, max(begin - span[1], span[0] - end), span)
            for span, kind in triggers.items()
            if name.startswith("role:") and [kind, role] in task["roles"]
        ]
        if possible:
            span = min(possible)[2]
            links.append([begin, end, *span, f"{triggers[span]}:{role}"])
    return [*([*span, kind] for span, kind in sorted(triggers.items())), *sorted(links)]


# </event>
def predict(values: Sequence[Any]) -> list[dict[str, Any]]:
    """Find the facts of inputs, each a text or a list of words."""
    task = settings()
    texts = [divided(value) for value in values]
    scores: list[np.ndarray] = []
    # <transformer>
    if not task["crf"]:
        scores = by_model(texts)
    # </transformer>
    # <crf>
    if task["crf"]:
        scores = by_features(texts)
    # </crf>
    answers = []
    for (text, spans), own in zip(texts, scores, strict=True):
        tags, confidence = best(own)
        facts: list[Any] = [list(part) for part in parts_of(tags, spans)]
        # <event>
        if task["task"] == "event":
            facts = linked(text, parts_of(tags, spans))
        # </event>
        answers.append({"facts": facts, "confidence": confidence})
    return answers


def read(line: str) -> Any:
    """Read a line: JSON, or a text as it is."""
    try:
        value = json.loads(line)
    except ValueError:
        return line
    return value if isinstance(value, str | list) else line


if __name__ == "__main__":
    for predicted in predict([read(line.rstrip("\n")) for line in sys.stdin]):
        print(json.dumps(predicted, ensure_ascii=False))
