from headstart import tasks
from headstart.contenders._pair_words import n_gram_texts
from headstart.contenders.linear import Linear
from headstart.core.records import Rows, Run


def test_a_linear_model_sees_what_two_texts_share(tmp_path, rng):
    """Every word occurs in both classes; only whether the claim repeats the evidence tells them apart."""
    words = [f"word{number}" for number in range(40)]
    pairs, labels = [], []
    for number in range(160):
        evidence = rng.choice(words, 6, replace=False)
        other = rng.choice([word for word in words if word not in evidence], 3, replace=False)
        pairs.append((" ".join(evidence), " ".join(rng.choice(evidence, 3, replace=False) if number % 2 else other)))
        labels.append("same" if number % 2 else "other")
    rows = Rows(tuple(map(str, range(160))), tuple(pairs), tuple(labels))
    train, held_out = rows.take(range(120)), rows.take(range(120, 160))
    task = tasks.load("pairs").fitted(train)
    answers = Linear().fit(train, held_out, task, Run(0, tmp_path)).predict(held_out.inputs).values
    assert answers == held_out.targets


def test_one_text_is_left_as_it_is():
    assert n_gram_texts(tasks.load("classification"), ["A cat."]) == ["A cat."]
