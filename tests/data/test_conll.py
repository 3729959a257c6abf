"""Files with one word a line: recognised by suffix or by their tags, sentences as rows, bad lines listed."""

import pytest

from headstart.data._conll import SUFFIXES, is_conll
from headstart.data.read import look, read
from headstart.tasks import guess
from headstart.tasks.ner import Ner

FILE = """-DOCSTART- -X- O

# id = 1
Anna NNP B-PER
Li NNP I-PER
runs VBZ O

# SYM O
Rome NNP B-LOC
. . O
"""


def write(folder, text, name="train.conll"):
    path = folder / name
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", ["train.conll", "train.txt", "train.tsv", "train"])
@pytest.mark.parametrize("tabs", [False, True])
def test_sentences_are_rows_with_their_first_line(tmp_path, name, tabs):
    path = write(tmp_path, FILE.replace(" ", "\t") if tabs else FILE, name)
    table = read(path, Ner())
    assert table.rows.inputs == (("Anna", "Li", "runs"), ("#", "Rome", "."))
    assert table.rows.targets == (((0, 7, "PER"),), ((2, 6, "LOC"),))
    assert table.rows.ids == (f"{name}:4", f"{name}:8")
    assert guess(lambda: look(path)) == "ner"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_words_without_tags_are_read_for_predictions(tmp_path, suffix):
    path = write(tmp_path, "Anna\nruns\n\nRome\n", f"new{suffix}")
    assert read(path, Ner(), labelled=False).rows.inputs == (("Anna", "runs"), ("Rome",))


def test_a_line_of_another_width_rejects_its_sentence(tmp_path):
    table = read(write(tmp_path, "Anna B-PER\nruns O\n\nLi\nruns O\n\nRome B-LOC\n"), Ner())
    assert table.rows.inputs == (("Anna", "runs"), ("Rome",))
    assert [(row.line, row.reason) for row in table.rejected] == [(4, "has 1 columns where the first line has 2")]


@pytest.mark.parametrize(
    "lines",
    [
        ["a text of words\tO\n", "another text\tB-x\n"],
        ["Anna,B-PER\n"],
        ["Anna O\n", "runs O\n"],
        ["Anna B-PER\n", "runs\n"],
        ["good film positive\n"],
        [],
    ],
)
def test_other_tables_are_not_mistaken(lines):
    assert not is_conll(lines)
