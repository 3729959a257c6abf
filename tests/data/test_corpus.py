"""Documents from files of every kind, packed or not."""

import gzip
import json

import pytest
from tests.data.classified import read

from headstart.core.errors import DataError, UsageError
from headstart.data import corpus

DOCUMENTS = ["One sentence. And another.", "Zwei Wörter\nüber zwei Zeilen", "drei"]


@pytest.fixture
def files(tmp_path):
    """The same documents in every format."""
    (tmp_path / "a.txt").write_text("\n\n\n".join(DOCUMENTS) + "\n", encoding="utf-8")
    lines = "".join(json.dumps({"id": i, "text": text}) + "\n" for i, text in enumerate(DOCUMENTS))
    (tmp_path / "a.jsonl").write_text(lines, encoding="utf-8")
    (tmp_path / "a.csv").write_text("id,text\n" + "".join(f'{i},"{t}"\n' for i, t in enumerate(DOCUMENTS)), "utf-8")
    (tmp_path / "a.tsv").write_text("id\ttext\n" + "".join(f'{i}\t"{t}"\n' for i, t in enumerate(DOCUMENTS)), "utf-8")
    for path in list(tmp_path.iterdir()):
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.table({"id": [0, 1, 2], "text": DOCUMENTS}), tmp_path / "a.parquet")
    return sorted(tmp_path.iterdir())


def test_every_format_gives_the_same_documents_each_time(files):
    assert len(files) == 9
    for path in files:
        documents = corpus.of_files([path])
        assert [list(documents.walk()), list(documents.walk())] == [DOCUMENTS, DOCUMENTS], path.name
    assert list(corpus.of_files(files[:2]).walk()) == DOCUMENTS * 2


def test_the_hash_is_of_content_and_column_and_not_of_the_place(files, tmp_path):
    path = tmp_path / "a.txt"
    original = corpus.of_files([path]).sha256
    moved = path.rename(tmp_path / "b.txt")
    assert corpus.of_files([moved]).sha256 == original == corpus.of_files([tmp_path / "a.txt.gz"]).sha256
    moved.write_text("other\n\ntexts", encoding="utf-8")
    assert corpus.of_files([moved]).sha256 != original
    table = tmp_path / "a.csv"
    assert corpus.of_files([table], "text").sha256 != corpus.of_files([table], "id").sha256


def test_without_blank_lines_every_line_is_a_document(tmp_path):
    path = tmp_path / "lines.txt"
    path.write_text("\nfirst line\nsecond line\n\n", encoding="utf-8")
    assert list(corpus.of_files([path]).walk()) == ["first line", "second line"]


def test_a_document_without_end_is_cut(tmp_path, monkeypatch):
    monkeypatch.setattr(corpus, "CELL", 10)
    path = tmp_path / "long.txt"
    path.write_text("a\n\n" + "x" * 25 + "\n" + "y" * 4, encoding="utf-8")
    documents = list(corpus.of_files([path]).walk())
    assert "".join(documents).replace("\n", "") == "a" + "x" * 25 + "y" * 4
    assert max(map(len, documents)) <= 21


def test_rows_that_cannot_be_used_are_told_once(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id,text\n1,fine words here\n2\n3,\n", encoding="utf-8")
    messages = []
    documents = corpus.of_files([path], tell=messages.append)
    assert list(documents.walk()) == list(documents.walk()) == ["fine words here"]
    assert messages == ["a.csv: 1 rows left out; the first, on line 3, is too short: 1 cell where the header has 2."]


def test_a_doubtful_encoding_is_told(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("ein Märchen über Löwen\n\nund Bären".encode("utf-16-le"))
    messages = []
    assert list(corpus.of_files([path], tell=messages.append).walk()) == ["ein Märchen über Löwen", "und Bären"]
    assert messages == [
        "a.txt is not UTF-8; it was read as utf-16-le, such as 'ein Märchen über Löwen'. If that is wrong, name the "
        "encoding with --encoding NAME."
    ]


def test_a_packed_table_can_be_compared_on_too(tmp_path):
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"text,label\none fine day,good\none sad day,bad\n"))
    assert read(path).rows.targets == ("good", "bad")


@pytest.mark.parametrize("cut", [10, 40])
def test_a_damaged_archive(tmp_path, cut):
    path = tmp_path / "a.txt.gz"
    path.write_bytes(gzip.compress(" ".join(map(str, range(999))).encode())[:cut])
    with pytest.raises(DataError, match=r"a.txt.gz is a damaged archive \(.*; fetch or pack it again"):
        corpus.of_files([path])


def test_zstd_is_read(tmp_path):
    path = tmp_path / "a.txt.zst"
    import zstandard

    path.write_bytes(zstandard.compress("\n\n".join(DOCUMENTS).encode()))
    assert list(corpus.of_files([path]).walk()) == DOCUMENTS


def test_zstd_without_a_package(tmp_path, monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr("importlib.import_module", missing)
    (tmp_path / "a.txt.zst").write_bytes(b"\x28\xb5\x2f\xfd....")
    with pytest.raises(
        UsageError, match=r"a\.txt\.zst is a zstd archive, which needs a package: pip install zstandard"
    ):
        corpus.of_files([tmp_path / "a.txt.zst"])


def test_what_is_no_file_or_empty(tmp_path):
    (tmp_path / "a.txt").touch()
    with pytest.raises(DataError, match=r"a\.txt is empty; give a file with at least two documents"):
        corpus.of_files([tmp_path / "a.txt"])
    with pytest.raises(DataError, match=r"no file b\.txt in"):
        corpus.of_files([tmp_path / "b.txt"])


def test_unlabelled_texts_leave_the_test_rows_out(tmp_path):
    path = tmp_path / "more.txt"
    path.write_text("A  FINE film\na poor film\na fine day\n", encoding="utf-8")
    texts, finding = corpus.unlabelled(path, ["a fine film", "unrelated"])
    assert texts == ("a poor film", "a fine day")
    assert (finding.kind, finding.severity, finding.count) == ("unlabelled", "note", 1)
    assert finding.sentence == ("3 unlabelled texts were read; left out because they also occur in the test rows: 1.")
    texts, finding = corpus.unlabelled(["a", "b"], ["c"])
    assert (texts, finding.severity, finding.count) == (("a", "b"), "fine", 0)
    with pytest.raises(DataError, match="no unlabelled text is left: all of them also occur in the test rows"):
        corpus.unlabelled(["a"], ["A"])
