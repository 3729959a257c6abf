"""Text tables as people save them: each is read as its author meant it, and every guess is reported."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.data.classified import read

from headstart.core.errors import DataError
from headstart.core.records import ReadWarning
from headstart.data._csv import Dialect, Profile, split_rows
from headstart.data._files import records

Write = Callable[..., Path]
LABELS = ("pos", "neg", "neu")
TEXTS = tuple(
    f"{start} the {thing} {verdict}, {number} times"
    for number, (start, thing, verdict) in enumerate(
        zip(
            ["In short:", "To be fair", "So far", "My brother says", "On holiday", "As a gift"] * 5,
            ["phone", "sofa", "lamp", "desk", "kettle"] * 6,
            ["works", "broke; at once", "was late", "is sturdy, really", "smells", "is fine", "shines"] * 5,
            strict=False,
        )
    )
)
ROWS = tuple((text, LABELS[number % 3]) for number, text in enumerate(TEXTS))
PLAIN = tuple((text.replace(",", "").replace(";", ""), label) for text, label in ROWS)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def to_file(content: str, name: str = "a.csv") -> Path:
        path = tmp_path / name
        path.write_text(content, encoding="utf-8", newline="")
        return path

    return to_file


def quoted(rows: tuple[tuple[str, str], ...] = ROWS, mark: str = ",") -> str:
    return "".join(f'"{text}"{mark}{label}\n' for text, label in rows)


def bare(rows: tuple[tuple[str, str], ...] = PLAIN, mark: str = ",") -> str:
    return "".join(f"{text}{mark}{label}\n" for text, label in rows)


def check(path: Path, rows: tuple[tuple[str, str], ...], *warnings: str) -> None:
    """Check that exactly these rows are read, and exactly these warnings given, of which a part is named."""
    table = read(path)
    assert tuple(zip(table.rows.inputs, table.rows.targets, strict=True)) == rows
    assert table.rejected == ()
    assert len(table.warnings) == len(warnings), table.warnings
    for warning, wanted in zip(table.warnings, warnings, strict=True):
        assert wanted in warning


@pytest.mark.parametrize(
    ("content", "rows", "warnings"),
    [
        ("sep=;\r\ntext;label\r\n" + quoted(mark=";"), ROWS, ()),
        ('"sep=\t"\ntext\tlabel\n' + quoted(mark="\t"), ROWS, ()),
        ("Report of May\n\ntext,label\n" + quoted(), ROWS, ("is no row: 'Report of May'",)),
        ("Report of May,\nall shops,\ntext,label\n" + quoted(), ROWS, ("the 2 lines above the table",)),
        ("# from tool v1, today\ntext,label\n" + quoted(), ROWS, ("is no row: '# from tool v1, today'",)),
        ("text, label\n" + quoted(mark=", "), ROWS, ()),
        ("text, label\n" + "".join(f'"{a}", "{b}"\n' for a, b in ROWS), ROWS, ()),
        ("text;label\n" + quoted(), ROWS, ("are divided by semicolons and its rows by commas",)),
        ("Comment, free text;Label (pos, neg)\n" + bare(ROWS[2:3] + PLAIN, ";"), ROWS[2:3] + PLAIN, ("as the column",)),
        ("text,label,,,\n" + "".join(f'"{a}",{b},,,\n' for a, b in ROWS), ROWS, ()),
        ("text,label\n" + "".join(f'"{a}",{b},\n' for a, b in ROWS), ROWS, ()),
        (",text,label\n" + "".join(f'{n},"{a}",{b}\n' for n, (a, b) in enumerate(ROWS)), ROWS, ()),
        (
            "text,label\n" + "".join(f'"{n}","{a}",{b}\n' for n, (a, b) in enumerate(ROWS)),
            ROWS,
            ("have a cell more than its column names: the first is called 'row'",),
        ),
        ("text,label\n" + "".join(f'"{a},{b}"\n' for a, b in PLAIN), PLAIN, ("whole rows of a.csv are enclosed",)),
        ('"text,label"\n' + "".join(f'"{a},{b}"\n' for a, b in PLAIN), PLAIN, ("whole rows of a.csv are enclosed",)),
        (
            "text,label\n" + "".join(f'"{a} said \\"no, {n}\\"",{b}\n' for n, (a, b) in enumerate(ROWS)),
            tuple((f'{a} said "no, {n}"', b) for n, (a, b) in enumerate(ROWS)),
            ('quotation marks written \\" in a.csv',),
        ),
        ("text,label\n" + "".join(f"'{a}',{b}\n" for a, b in ROWS), ROWS, ("enclosed in single quotation marks",)),
        ("'text';'label'\n" + "".join(f"'{a}';'{b}'\n" for a, b in ROWS), ROWS, ("enclosed in single quotation",)),
        ("text;score;label\n" + "".join(f"{a};{n},5;{b}\n" for n, (a, b) in enumerate(PLAIN)), PLAIN, ()),
        (quoted(), ROWS, ("has no line of column names: its line 1, 'In short: the phone... | pos'",)),
        (bare(mark="\t"), PLAIN, ("has no line of column names",)),
        ("text,spam\n" + quoted(tuple((a, ("ham", "spam")[len(a) % 2]) for a, _ in ROWS)), None, ("'text | spam'",)),
        ("v2,v1\n" + quoted(), ROWS, ()),
        ("内容,类别\n" + quoted(), ROWS, ()),
    ],
)
def test_tables_as_people_save_them(write: Write, content: str, rows: tuple | None, warnings: tuple[str, ...]) -> None:
    check(write(content), rows or tuple((a, ("ham", "spam")[len(a) % 2]) for a, _ in ROWS), *warnings)


@pytest.mark.parametrize("text", ["'{}' or not", "'{}' and 'so on'", "'tis {}"])
def test_single_quotation_marks_inside_of_texts_stay(write: Write, text: str) -> None:
    rows = tuple((text.format(word), label) for word, label in PLAIN)
    check(write("text,label\n" + bare(rows)), rows)


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ("text\tlabel\n" + bare(ROWS, "\t"), ROWS),
        ("text|label\n" + bare(ROWS, "|"), ROWS),
        ("text,label\n" + quoted(), ROWS),
    ],
)
def test_a_txt_may_be_a_table(write: Write, content: str, rows: tuple[tuple[str, str], ...]) -> None:
    check(write(content, "a.txt"), rows)


@pytest.mark.parametrize("first", ["", "text\n"])
@pytest.mark.parametrize("texts", [TEXTS, tuple(text for text, _ in PLAIN), ("one, two", "three, four")])
def test_a_txt_of_texts_keeps_its_first_line_and_its_commas(write: Write, first: str, texts: tuple[str, ...]) -> None:
    path = write(first + "".join(f"{text}\n" for text in texts), "a.txt")
    table = read(path, labelled=False)
    assert table.rows.inputs == texts
    assert bool(table.warnings) is not bool(first)
    with pytest.raises(DataError, match=r"a.txt has a single column, 'text', where a text and a label are needed"):
        read(path)


def test_a_csv_of_texts_keeps_its_commas(write: Write) -> None:
    path = write("text\n" + "".join(f"{text}\n" for text in TEXTS))
    assert read(path, labelled=False).rows.inputs == TEXTS
    path = write("text\n" + "".join(f'"{text}"\n' for text in TEXTS))
    assert read(path, labelled=False).rows.inputs == TEXTS


@pytest.mark.parametrize(("line", "mark"), [("-----\t-----", "\t"), ("|---|:--:|", "|"), ("====,=====", ",")])
def test_a_line_under_the_column_names_is_no_row(write: Write, line: str, mark: str) -> None:
    edge = mark if mark == "|" else ""
    rows = "".join(f"{edge}{text}{mark}{label}{edge}\n" for text, label in PLAIN)
    table = read(write(f"{edge}text{mark}label{edge}\n{line}\n{rows}"))
    assert table.rows.inputs == tuple(text for text, _ in PLAIN)
    assert [(row.line, row.reason) for row in table.rejected] == [(2, "is a line of dashes inside the table")]


def test_named_columns_are_believed(write: Write) -> None:
    path = write("Report,2024\npos,neg\n" + quoted())
    table = read(path, text="pos", label="neg")
    assert (len(table.rows), table.rows.inputs[0]) == (len(ROWS), ROWS[0][0])
    assert "is no row: 'Report,2024'" in table.warnings[0]
    assert read(write(quoted()), text="column 1", label="column 2").rows.inputs == TEXTS


def test_a_delimiter_in_every_text_is_no_row_name(write: Write) -> None:
    path = write("text,label\n" + "".join(f"{text}, I think,{label}\n" for text, label in PLAIN))
    with pytest.raises(DataError, match=r"all 30 were rejected, .* is too long: 3 cells where the header has 2"):
        read(path)


def test_names_that_come_three_times_are_names(write: Write) -> None:
    table = read(write(("text,label\n" + quoted(ROWS[:9])) * 3))
    assert (table.columns["text"], len(table.rows), len(table.rejected)) == (("text",), 27, 2)
    assert read(write("text,\n" + quoted())).columns["label"] == ("column 2",)


def test_a_repeated_line_of_names_is_no_row(write: Write) -> None:
    table = read(write("text,label\n" + quoted(ROWS[:15]) + "text,label\n" + quoted(ROWS[15:])))
    assert len(table.rows) == len(ROWS)
    assert [(row.line, row.reason) for row in table.rejected] == [(17, "repeats the line of column names")]


@pytest.mark.parametrize("name", ["a.txt", "a.csv", "a.ft"])
def test_fasttext(write: Write, name: str) -> None:
    check(write("".join(f"__label__{b} {a}\n" for a, b in ROWS), name), ROWS, "is read as fastText's lines")


def test_fasttext_with_several_labels_names_the_task(write: Write) -> None:
    path = write("__label__a __label__b both\n__label__a one\n__label__b other\n" + "__label__a x\n" * 8 + "none\n")
    assert [(row.line, row.reason[:50]) for row in read(path).rejected] == [
        (1, "has 2 labels ('a', 'b') where one is needed: severa"[:50]),
        (12, "does not begin with __label__"),
    ]
    path = write("__label__a __label__b both\n__label__c\t__label__b more\n")
    with pytest.raises(
        DataError,
        match=r"all 2 were rejected, .* several labels for a text are the task 'multilabel'",
    ):
        read(path)


# --- stray quotation marks ------------------------------------------------------------------------------------


@pytest.mark.parametrize("far", [1, 2, 15, 1500])
@pytest.mark.parametrize("enclosed", [True, False])
def test_a_stray_mark_swallows_no_rows(write: Write, far: int, enclosed: bool) -> None:
    rows = list(PLAIN * (1 + far // 10))
    rows[3] = ('"Great buy for the price', "pos")
    rows[3 + far] = ('my screen is 27"', "neg")
    lines = [f"{text},{label}\n" for text, label in rows]
    if enclosed:  # some honest cells keep the whole from being read without quoting
        lines[:2] = [f'"{text}, said I",{label}\n' for text, label in rows[:2]]
        rows[:2] = [(f"{text}, said I", label) for text, label in rows[:2]]
    table = read(write("text,label\n" + "".join(lines)))
    assert tuple(zip(table.rows.inputs, table.rows.targets, strict=True)) == tuple(rows)
    assert table.rejected == ()
    assert len(table.warnings) == 1
    assert "open on line 5" in table.warnings[0] or (not enclosed and "read as part of the text" in table.warnings[0])


def test_a_stray_mark_beyond_the_first_thousand_lines(write: Write) -> None:
    rows = list(PLAIN * 50)
    rows[1200], rows[1290] = ('"Great', "pos"), ('27"', "neg")
    table = read(write("text,label\n" + bare(tuple(rows))))
    assert tuple(zip(table.rows.inputs, table.rows.targets, strict=True)) == tuple(rows)
    assert "open on line 1202" in table.warnings[0]


def test_honest_cells_of_several_lines_stay_whole(write: Write) -> None:
    texts = (
        "first line\nsecond line",
        "Well, it was nice,\nreally\n\nyes, neg,",
        "a list:\none, two\nthree, four\nfive, six",
        "\n".join(f"line {n}, of many" for n in range(200)),
        "quoting a table:\ngood,pos\nend",
    )
    rows = tuple((f"{text} {n}", LABELS[n % 3]) for n in range(8) for text in texts)
    table = read(write("text,label\n" + quoted(rows)))
    assert tuple(zip(table.rows.inputs, table.rows.targets, strict=True)) == rows
    assert "takes 200 lines" in table.warnings[0]
    table = read(write("label,text\n" + "".join(f'{label},"{text}"\n' for text, label in rows)))
    assert tuple(zip(table.rows.inputs, table.rows.targets, strict=True)) == rows


def test_rows_that_only_may_be_swallowed_are_reported(write: Write) -> None:
    path = write('title,text\nab,cd\n"one,two\nthree",four\nef,gh\n')
    warnings = [item.sentence for item in records(path).items if isinstance(item, ReadWarning)]
    expected = "the row on line 3 takes several lines, each of which could be a row"
    assert any(expected in sentence for sentence in warnings)


def test_lines_are_given_back_in_their_order() -> None:
    lines = ["a,1\n", '"b,2\n', "c,1\n", 'd",2\n', "e,1\n"]
    profile = Profile(lambda cells: len(cells) == 2 and cells[1] in "12", certain=True)
    rows = list(split_rows(lines, Dialect(","), profile))
    assert [(row.line, row.values[0]) for row in rows[:-1]] == [(1, "a"), (2, '"b'), (3, "c"), (4, 'd"'), (5, "e")]
    assert "open on line 2 and are not closed" in rows[-1].sentence
