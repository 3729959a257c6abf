"""Encoders of other kinds than BERT's are tuned, answer in 8 bits, and come back from their folder."""

import numpy as np
import pytest
import torch

from headstart.checkpoints import folder
from headstart.core import rooms
from headstart.core.records import Rows, Run
from headstart.saved import model_folder
from headstart.text import vocabulary

WORDS = {"praise": "good fine lovely great", "blame": "bad awful poor dreadful"}
FAMILIES = {"modernbert": {"reach": 4}, "deberta-v2": {"buckets": 8, "farthest": 64}}


@pytest.fixture
def rows(rng):
    labels = tuple(list(WORDS)[number % 2] for number in range(40))
    texts = tuple(" ".join(rng.choice(WORDS[label].split(), size=rng.integers(1, 30))) for label in labels)
    return Rows(tuple(map(str, range(40))), texts, labels)


@pytest.mark.parametrize("strategy", ["full", "partial", "lora", "adapter"])
@pytest.mark.parametrize("name", FAMILIES)
def test_it_is_tuned_and_opens_again_with_the_same_answers(name, strategy, rows, tmp_path):
    family = rooms.load("checkpoints.families", name)
    tokenizer = vocabulary.train(rows.inputs, 60, window=64)
    sizes = {"vocabulary": tokenizer.size, "width": 16, "layers": 3, "heads": 2, "feed_forward": 24, "window": 64}
    arguments = {**sizes, "dropout": 0.0, "epsilon": 1e-5, "activation": "gelu", **FAMILIES[name]}
    torch.manual_seed(0)
    encoder = family.encoder(arguments)
    for weight in encoder.parameters():  # larger than usual, so that few steps teach it
        if weight.ndim > 1:
            torch.nn.init.normal_(weight, std=0.2)
    (tmp_path / "backbone").mkdir()
    folder.save(tmp_path / "backbone", encoder, tokenizer, name, arguments, None)
    options = {"backbone": str(tmp_path / "backbone"), "strategy": strategy, "epochs": 6, "learning_rate": 1e-2}
    task = rooms.load("tasks", "classification").fitted(rows)
    fitted = rooms.load("contenders", "finetuned", options).fit(rows, rows, task, Run(0, tmp_path / "run"))
    answers = fitted.predict(rows.inputs)
    assert (np.array(answers.values) == rows.targets).mean() > 0.8
    assert (np.array(fitted.with_int8().predict(rows.inputs).values) == answers.values).mean() > 0.9
    fitted.save(tmp_path / "saved")
    again = model_folder.open_model(tmp_path / "saved")
    alone = np.concatenate([again.predict([text]).probabilities for text in rows.inputs[:4]])
    np.testing.assert_allclose(alone, answers.probabilities[:4], atol=1e-5)
