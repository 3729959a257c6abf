"""Nothing that comes from outside is obeyed by a terminal."""

import json
import logging
import warnings

from headstart.core import terminal
from headstart.core.errors import DataError, visible

# Controls (C0, DEL, C1), directions, zero width, line and paragraph ends, a byte order mark, halves of pairs.
OBEYED = [*map(chr, range(32)), *map(chr, range(0x7F, 0xA0)), *"\u200b\u200e\u200f\u061c\ufeff\u2028\u2029\ud800\udcff"]
OBEYED += [*map(chr, range(0x202A, 0x202F)), *map(chr, range(0x2060, 0x206A)), "\U000e0041"]


def is_plain(text):
    return all(letter.isprintable() or letter == "\n" for letter in text)


def test_no_control_is_obeyed():
    for letter in OBEYED:
        assert is_plain(visible(f"a{letter}b"))
        assert str(DataError(f"no file {letter}.")) == visible(f"no file {letter}.")
        written = terminal.visible_json(json.dumps([letter], ensure_ascii=False))
        assert is_plain(written)
        assert json.loads(written) == [letter]


def test_letters_stay_as_they_are():
    text = "naïve café, 服务非常好, ممتازة, 👍🏽 [red]x[/red]"
    assert visible(text) == terminal.visible_json(text) == text


def test_messages_of_libraries_are_made_visible(capsys, monkeypatch):
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    made = logging.getLogRecordFactory()
    try:
        terminal.guard_other_messages()
        record = logging.getLogger("x").makeRecord(
            "x", logging.WARNING, "f", 1, "said %s", ("\x1b]0;evil\x07\n",), None
        )
        assert record.getMessage() == "said \\x1b]0;evil\\x07\n"
        assert is_plain(warnings.formatwarning("a\x9b\u202eb", UserWarning, "f\x1b.py", 1, ""))
    finally:
        logging.setLogRecordFactory(made)
    terminal.say("one\x1b[2K\rtwo\nthree")
    assert capsys.readouterr().err == "one\\x1b[2K\\rtwo\\nthree\n"
