"""The lines of an audit, with those of a table that could not be read whole."""

import pytest

from headstart.core.records import Finding, Rejected, Rows, Table
from headstart.data.audit import reading
from headstart.report.findings import lines


def table(rejected=(), warnings=()):
    return Table("a.csv", Rows(("a.csv:2",) * 8, ("x",) * 8), {"text": ("text",)}, "", tuple(rejected), tuple(warnings))


def test_nothing_is_said_of_a_file_that_was_read_whole():
    assert reading(table()) == []


def test_every_rejected_row_and_every_warning_is_listed():
    findings = reading(table([Rejected(3, "has no text"), Rejected(9, "is too long")], ["read as windows-1252"]))
    assert [finding.sentence for finding in findings] == [
        "read as windows-1252",
        "2 of 10 rows (20.0%) could not be used; each is listed with its line.",
    ]
    assert (findings[1].count, findings[1].share) == (2, 0.2)
    assert list(lines(findings))[2:] == ["         line 3 has no text", "         line 9 is too long"]


@pytest.mark.parametrize(("most", "count"), [(None, 31), (30, 31), (3, 5)])
def test_a_long_list_is_cut_only_where_asked(most, count):
    listed = list(lines(reading(table(Rejected(line, "has no text") for line in range(30))), most))
    assert len(listed) == count
    assert (most == 3) == listed[-1].endswith("and 27 more; headstart check lists all")


def test_other_kinds_are_a_line_each():
    assert list(lines([Finding("imbalance", "fine", 0, 0.0, "Even.")])) == ["fine     Even."]
