"""What is reported of texts that are too long for a window."""

import pytest

from headstart.contest.windows import findings, truncation
from headstart.core.errors import UsageError
from headstart.core.records import Rows
from headstart.tasks.classification import Classification
from headstart.tasks.generation import Generation
from headstart.tasks.ner import Ner
from headstart.tasks.translation import Translation

LONG = " ".join(["word"] * 1024)
ROWS = Rows(("1", "2"), (LONG, "short"), ("a", "b"))


@pytest.mark.parametrize(("share", "severity"), [(0.0, "fine"), (0.01, "note"), (0.2, "warning")])
def test_how_bad_a_cut_is(share, severity):
    finding = truncation({"linear": 0.0, "scratch": share})
    assert (finding.kind, finding.severity, finding.share) == ("truncation", severity, share)


def test_windows_are_measured_in_tokens():
    finding, unknown = findings(Classification(), ROWS, "no-such-model")
    # 1,024 words and two marks in a window of 512, and one short text
    assert finding.share == pytest.approx(0.5, abs=0.02)
    assert "scratch does not read 50.0 %" in finding.sentence
    assert unknown.kind == "backbone"
    assert unknown.sentence.startswith("The backbone 'no-such-model' cannot be opened, so nothing can be fine-tuned")
    assert "no model folder 'no-such-model'" in unknown.sentence


@pytest.mark.parametrize(("way", "truncated"), [("first", True), ("head-tail", True), ("mean", False)])
def test_a_check_counts_what_the_options_leave_out(way, truncated):
    options = {"finetuned.long": way, "scratch.long": "mean", "scratch.most_windows": 4}
    finding = findings(Classification(), ROWS, "minilm", options)[0]
    assert ("finetuned does not read" in finding.sentence) == truncated
    assert "scratch" not in finding.sentence


def test_windows_of_a_task_leave_nothing_out():
    assert findings(Ner(), Rows(("1",), (tuple(LONG.split()),)), "minilm")[0].severity == "fine"


def test_of_answers_that_are_written_the_lost_part_is_counted_too():
    rows = Rows(("1", "2"), ("short", "word"), ((LONG,), ("short",)))
    texts, answers, *_ = findings(Translation(), rows, "minilm", {"seq2seq.window": 514})
    assert texts.severity == "fine"
    assert answers.share == pytest.approx(0.5, abs=0.02)
    assert answers.sentence == (
        "Long answers are truncated to the model's window: seq2seq does not learn 50.0 % of their tokens."
    )
    texts, *others = findings(Translation(), Rows(("1", "2"), (LONG, "short"), (("word",), ("short",))), "minilm")
    assert "seq2seq does not read" in texts.sentence
    assert not [finding for finding in others if finding.kind == "truncation"]


def test_other_options_are_refused():
    with pytest.raises(UsageError, match=r"option 'linear.features' changes nothing that a check counts; give those"):
        findings(Classification(), ROWS, "minilm", {"linear.features": 3})


def test_of_conversations_the_decoder_reads_the_end():
    inputs = (({"role": "user", "content": "word " * 2000},), *(turns for turns, _ in Generation.SAMPLE[1:]))
    rows = Rows(tuple(map(str, range(6))), inputs, tuple(answer for _, answer in Generation.SAMPLE))
    (texts, *_) = findings(Generation(), rows, "no-such-model")
    assert "decoder does not read" in texts.sentence
