"""Each kind of hostile file once; the whole suite is ``python -m tests.hostile files``."""

import pytest
from tests.hostile import files

# One of each kind, the cheap ones.
SAMPLE = (
    *("file name: OSC", "missing file: C1 CSI", "column: CSI", "label: markup", "cell: right to left override"),
    *("option: clear", "a document of 131073", "20000 columns", "dashes", "single quotes", "a sparse file"),
    *("/dev/zero", "a socket", "a pipe", "standard input: rows", "a link to itself"),
    *("JSON line: nested 500 deep", "JSON line: infinity", "JSON: only brackets", "utf-32-le"),
    *("commas without quotes: many", "a footer: Total", "gz cut short", "zst cut short", "zip called csv"),
    *("timestamp[ns] in parquet", "string_view in feather", "Parquet cut at 12"),
    *("run_end_encoded in feather", "dictionary of lists in arrow", "lists 50 deep in parquet"),
)


@pytest.fixture(scope="module")
def cases():
    return {case.name: case for case in files.cases()}


def test_there_are_as_many_cases_as_promised(cases):
    assert len(cases) >= 200
    assert set(SAMPLE) <= set(cases)


@pytest.mark.parametrize("name", SAMPLE)
def test_a_hostile_file_is_read_right_or_refused(name, cases, tmp_path):
    outcome = cases[name].run(tmp_path)
    assert outcome.verdict != "WRONG", outcome.reason
