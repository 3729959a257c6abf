"""Six models laid out as on their hubs compete on one file, from check to prediction."""

import csv
import json
import random

import hub_models
import pytest
from hub_tokenizers import BAD, GOOD

from headstart import cli

NAMES = [*hub_models.SIX]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with the six models and a file of opinions, half of them good."""
    place = tmp_path_factory.mktemp("tour")
    for name in NAMES:
        hub_models.write(name, place / name)
    chance = random.Random(0)
    with (place / "opinions.csv").open("w", encoding="utf-8", newline="") as file:
        write = csv.writer(file)
        write.writerow(["text", "label"])
        for number in range(120):
            common = chance.choices(["the", "a", "film", "food", "was", "and", "with", "it", "hotel"], k=6)
            write.writerow(
                [" ".join(common + chance.choices((BAD, GOOD)[number % 2], k=2)), ("bad", "good")[number % 2]]
            )
    return place


@pytest.fixture
def headstart(place, monkeypatch, capsys, pickles_converted_here):
    """The command line, called in the folder; it returns what is said and what standard error gets."""
    monkeypatch.chdir(place)
    monkeypatch.setenv("HEADSTART_CACHE", str(place / "cache"))

    def call(*arguments):
        assert cli.run([*arguments]) == 0
        return capsys.readouterr()

    return call


def test_six_models_of_a_hub_are_checked_compared_and_the_best_is_used(place, headstart):
    backbones = ",".join(NAMES)
    captured = headstart("check", "opinions.csv", "--backbone", backbones)
    assert [line for line in captured.out.splitlines() if line.startswith("warning")] == []
    for name in NAMES:
        assert f"The vocabulary of {name} covers the texts: 0.0 % of the tokens unknown" in captured.out
    # Pickles are converted once, and that is all that is said beside the findings.
    notes = [line for line in captured.err.splitlines() if not line.startswith("Task: classification")]
    assert [name for name in NAMES for line in notes if f"headstart: {name}/pytorch_model.bin: plain" in line] == [
        "bert-base-chinese",
        "TinyBERT_General_4L_312D",
    ]
    assert len(notes) == 2

    arguments = ["--contenders", "linear,finetuned", "--strategies", "frozen", "--seeds", "1", "--sizes", "all"]
    captured = headstart("compare", "opinions.csv", "--backbone", backbones, *arguments)
    assert "warning" not in captured.out + captured.err
    expected = ["linear", *(f"finetuned:frozen@{name}" for name in NAMES)]
    result = json.loads((place / "runs/opinions/result.json").read_text())
    assert sorted(standing["contender"] for standing in result["standings"]) == sorted(expected)
    assert result["skipped"] == {}
    page = (place / "runs/opinions/report.html").read_text()
    for name in expected:
        assert name in page

    headstart("predict", "runs/opinions/best", "opinions.csv", "--out", "answers.csv")
    with (place / "answers.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert len(rows) == 121
    assert {row[2] for row in rows[1:]} == {"bad", "good"}
