"""What the audit says of rows that could not be read and of texts that are too long."""

import pytest

from headstart.contest.precheck import reading, told, truncation, windows
from headstart.core.records import Finding, Rejected, Rows, Table


def table(rejected=(), warnings=()):
    return Table("a.csv", Rows(("a.csv:2",) * 8, ("x",) * 8), "text", None, "", tuple(rejected), tuple(warnings))


def test_nothing_is_said_of_a_file_that_was_read_whole():
    assert reading(table()) == []


def test_every_rejected_row_and_every_warning_is_told():
    found = reading(table([Rejected(3, "has no text"), Rejected(9, "is too long")], ["read as windows-1252"]))
    assert [finding.sentence for finding in found] == [
        "read as windows-1252",
        "2 of 10 rows (20.0%) could not be used; each is listed with its line.",
    ]
    assert (found[1].count, found[1].share) == (2, 0.2)
    assert list(told(found))[2:] == ["         line 3 has no text", "         line 9 is too long"]


@pytest.mark.parametrize(("most", "lines"), [(None, 31), (30, 31), (3, 5)])
def test_a_long_list_is_cut_only_where_asked(most, lines):
    found = list(told(reading(table(Rejected(line, "has no text") for line in range(30))), most))
    assert len(found) == lines
    assert (most == 3) == found[-1].endswith("and 27 more; headstart check lists all")


@pytest.mark.parametrize(("share", "severity"), [(0.0, "fine"), (0.01, "note"), (0.2, "warning")])
def test_how_bad_a_cut_is(share, severity):
    found = truncation({"linear": 0.0, "scratch": share})
    assert (found.kind, found.severity, found.share) == ("truncation", severity, share)


def test_windows_are_measured_in_tokens():
    long = " ".join(["word"] * 1024)
    rows = Rows(("1", "2"), (long, "short"), ("a", "b"))
    found, unknown = windows(rows, "no-such-model")
    # 1,024 words and two marks in a window of 512, and one short text
    assert found.share == pytest.approx(0.5, abs=0.02)
    assert "scratch 5" in found.sentence
    assert unknown.kind == "backbone"
    assert unknown.sentence.startswith("The backbone 'no-such-model' cannot be opened, so nothing can be fine-tuned")
    assert "no model folder 'no-such-model'" in unknown.sentence


def test_other_kinds_are_a_line_each():
    assert list(told([Finding("imbalance", "fine", 0, 0.0, "Even.")])) == ["fine     Even."]
