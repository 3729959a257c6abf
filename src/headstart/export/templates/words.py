"""Find facts in texts: `python run.py < texts.txt > predictions.jsonl`, or `run.predict([...])` from Python.

A line is a text. A fact is a list of its start, its end and its type. Needs onnxruntime, tokenizers and numpy.
"""

import json
import os
import re
import runpy
import sys
from bisect import bisect_right
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import openvino
import tokenizers

FOLDER = Path(__file__).parent
TASK = json.loads((FOLDER / "task.json").read_text("utf-8"))
TAGS = TASK["tags"]
INSIDE = np.array([tag.startswith("I-") for tag in TAGS])  # which tags continue a fact
FIRST = np.where(INSIDE, -np.inf, 0.0)  # scores of a text's first tag
MOVES = np.array([[-np.inf if tag[0] == "I" and tag[1:] != before[1:] else 0.0 for tag in TAGS] for before in TAGS])
MOVES += np.array(TASK["moves"])  # scores of each tag after another one
# <runtime>
TOKENIZER = tokenizers.Tokenizer.from_file(str(FOLDER / "tokenizer.json"))
# <split>
TOKENIZER.encode_special_tokens = True  # the name of a special token is text too
# </split>
OPTIONS = onnxruntime.SessionOptions()
OPTIONS.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", "0"))  # 0 for one per core
MODEL = onnxruntime.InferenceSession(FOLDER / "model.onnx", OPTIONS, ["CPUExecutionProvider"])


# </runtime>
def divided(value: Any) -> tuple[str, list[tuple[int, int]]]:
    """Return a text, and where its words are."""
    # <list>
    if not isinstance(value, str):
        text, before, spans = "", "", list[tuple[int, int]]()
        for word in map(str, value):
            if spans and not (re.match(TASK["unspaced"], word) and re.match(TASK["unspaced"], before[-1:])):
                text += " "
            spans.append((len(text), len(text) + len(word)))
            text, before = text + word, word
        return text, spans
    # </list>
    return value, [match.span() for match in re.finditer(TASK["word"], value)]


# <scores>
def scores_of(value: Any) -> np.ndarray:
    """Return the scores of the tags of a text's words, ``(words, tags)``: those of their first tokens."""
    text, spans = divided(value)
    words = [(" " if begin and text[begin - 1].isspace() else "") + text[begin:end] for begin, end in spans]
    clear = [word[: TASK["characters"]].encode("utf-8", "replace").decode() for word in words]
    encoding = TOKENIZER.encode(clear, is_pretokenized=True, add_special_tokens=False)
    room = max(1, TASK["window"] - len(TASK["opening"]) - len(TASK["closing"]))
    last = max(0, len(encoding.ids) - room)
    scores: np.ndarray = TASK["certain"] * np.eye(1, len(TAGS), dtype=np.float32).repeat(len(words), axis=0)
    most = [-1.0] * len(words)  # tokens around each word, in the window where it has most
    for start in [*range(0, last, max(1, room - int(TASK["overlap"] * room))), last]:
        ids = [*TASK["opening"], *encoding.ids[start : start + room], *TASK["closing"]]
        inputs = {"input_ids": np.array([ids]), "attention_mask": np.ones((1, len(ids)), np.int64)}
        logits = MODEL.run(None, inputs)[0][0]
        owners: list[Any] = encoding.word_ids[start : start + room]
        for number, word in enumerate(owners):
            place = len(TASK["opening"]) + number
            around = min(place if start else np.inf, len(ids) - place if start < last else np.inf)
            if (number == 0 or owners[number - 1] != word) and around >= most[word]:
                most[word], scores[word] = around, logits[place]
    return scores


# </scores>
def best(scores: np.ndarray) -> tuple[list[str], float]:
    """Return the most likely tags of words, of all sequences that are allowed, and their probability."""
    if not len(scores):
        return [], 1.0
    highest = sums = scores[0] + FIRST
    back = []
    for row in scores[1:]:
        through = highest[:, None] + MOVES
        back.append(through.argmax(0))
        highest = through.max(0) + row
        sums = np.logaddexp.reduce(sums[:, None] + MOVES, axis=0) + row
    chosen = [int(highest.argmax())]
    for step in reversed(back):
        chosen.append(int(step[chosen[-1]]))
    probability = np.exp(min(0.0, highest.max() - np.logaddexp.reduce(sums)))
    return [TAGS[number] for number in reversed(chosen)], float(probability)


# <marginals>
def shares_of(value: Any) -> np.ndarray:
    """Return the probability of each tag of a text's words over all sequences of tags, ``(words, tags)``."""
    scores = scores_of(value).astype(np.float64)
    before, after = scores + FIRST, np.zeros_like(scores)  # sums over all beginnings, and over all ends
    for word in range(1, len(scores)):
        before[word] = np.logaddexp.reduce(before[word - 1][:, None] + MOVES, axis=0) + scores[word]
    for word in range(len(scores) - 1, 0, -1):
        after[word - 1] = np.logaddexp.reduce((after[word] + scores[word])[None] + MOVES, axis=1)
    shares = np.exp(before + after - (before + after).max(axis=1, keepdims=True, initial=-np.inf))
    probabilities: np.ndarray = (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)
    return probabilities


# </marginals>
# <event>
def linked(text: str, parts: list[Any]) -> list[list[Any]]:
    """Return triggers, and arguments each with the nearest trigger that has its role, in its sentence first."""
    ends = [*(match.end() for match in re.finditer(TASK["sentence"], text)), len(text)]
    triggers = {
        (begin, end): name.removeprefix("trigger:") for begin, end, name in parts if name.startswith("trigger:")
    }
    links = []
    for begin, end, name in parts:
        role, sentence = name.removeprefix("role:"), bisect_right(ends, begin)
        possible = [
            (bisect_right(ends, span[0]) != sentence, max(begin - span[1], span[0] - end), span)
            for span, kind in triggers.items()
            if name.startswith("role:") and [kind, role] in TASK["roles"]
        ]
        if possible:
            span = min(possible)[2]
            links.append([begin, end, *span, f"{triggers[span]}:{role}"])
    return [*([*span, kind] for span, kind in sorted(triggers.items())), *sorted(links)]


# </event>
def predict(values: list[Any]) -> list[dict[str, Any]]:
    """Find the facts of inputs."""
    answers = []
    for value in values:
        text, spans = divided(value)
        tags, confidence = best(scores_of(value))
        facts: list[Any] = []
        for tag, (begin, end) in zip(tags, spans, strict=True):
            if tag.startswith("B-"):
                facts.append([begin, end, tag[2:]])
            elif tag.startswith("I-"):
                facts[-1][1] = end
        # <event>
        facts = linked(text, facts)
        # </event>
        answers.append({"facts": facts, "confidence": confidence})
    return answers


if __name__ == "__main__":
    for predicted in predict([line.rstrip("\n") for line in sys.stdin]):
        print(json.dumps(predicted, ensure_ascii=False))
