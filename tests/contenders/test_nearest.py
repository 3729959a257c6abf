"""The answer of the most similar training row."""

import pytest

from headstart.contenders.nearest import FILE, Nearest
from headstart.core.errors import CheckpointError
from headstart.core.records import Rows, Run
from headstart.tasks.translation import Translation


@pytest.fixture
def fitted(tmp_path):
    inputs, targets = zip(*Translation.SAMPLE, strict=True)
    rows = Rows(tuple(map(str, range(6))), inputs, targets)
    return Nearest().fit(rows, rows, Translation(), Run(0, tmp_path))


def test_a_training_text_gets_its_answer_and_a_similar_one_that_of_its_neighbour(fitted):
    predictions = fitted.predict(["A dog sleeps.", "The dog sleeps!"])
    assert predictions.values == ("Ein Hund schläft.", "Ein Hund schläft.")
    assert predictions.confidence[0] == pytest.approx(1.0)
    assert predictions.confidence[1] < 1


def test_rows_are_compared_in_parts(fitted, monkeypatch):
    from headstart.contenders import nearest

    inputs = [source for source, _ in Translation.SAMPLE]
    whole = fitted.predict(inputs).values
    monkeypatch.setattr(nearest, "TOGETHER", 2)
    assert fitted.predict(inputs).values == whole


@pytest.mark.parametrize(
    "content", ['{"texts": ["a"], "answers": []}', '{"texts": [], "answers": []}', '{"texts": [1], "answers": [1]}']
)
def test_a_damaged_folder_is_refused(tmp_path, content):
    (tmp_path / FILE).write_text(content)
    with pytest.raises(CheckpointError, match="must hold texts and as many answers"):
        Nearest.load(tmp_path, Translation(), {})
