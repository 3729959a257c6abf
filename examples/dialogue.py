"""A model that answers in conversations: trained from scratch, judged by perplexity, and asked for an answer."""

import json
import random

import headstart

chance = random.Random(0)
ANSWERS = {
    "film": "I saw it twice.",
    "song": "I sing it.",
    "game": "We lost again.",
    "book": "I read it last year.",
}
with open("talks.jsonl", "w", encoding="utf-8") as file:
    for number in range(80):
        thing, answer = chance.choice(list(ANSWERS.items()))
        ask = f"{chance.choice(['Do you know', 'Did you like'])} the {thing} of {1900 + number}?"
        turns = [{"role": "user", "content": ask}, {"role": "assistant", "content": answer}]
        file.write(json.dumps({"messages": turns}) + "\n")

tiny = {"decoder.vocabulary": 400, "decoder.width": 64, "decoder.layers": 2, "decoder.epochs": 20}
result = headstart.compare(
    "talks.jsonl", contenders=["majority", "decoder"], options=tiny, budget=0.1, seeds=1, sizes=[], out="runs/talks"
)
print(*result.verdict, sep="\n")
print(result.best.predict([[{"role": "user", "content": "Do you know the game of 1950?"}]]).values)
print("Converse with it: headstart chat runs/talks/best")
