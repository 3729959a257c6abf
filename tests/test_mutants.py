"""Each hand-made fault of ``python -m benchmarks mutants`` can still be put into the source."""

import ast
from pathlib import Path

import pytest
from benchmarks import mutants
from benchmarks._mutants import SURVIVORS
from benchmarks.mutants import MUTANTS


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_its_text_occurs_once_and_its_change_is_a_program(mutant):
    assert mutants.occurrences(mutant) == 1
    source = (mutants.ROOT / mutants.SOURCE / mutant.file).read_text(encoding="utf-8")
    before, after = (ast.dump(ast.parse(text)) for text in (source, source.replace(mutant.old, mutant.new)))
    assert before != after
    assert all((Path(__file__).parent / name).is_file() for name in mutant.tests)


def test_names_are_unique_and_survivors_are_mutants():
    names = [mutant.name for mutant in MUTANTS]
    assert len(names) == len(set(names)) >= 40
    assert set(SURVIVORS) <= set(names)
