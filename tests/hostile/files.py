"""Files, pipes and devices that are broken, enormous, endless or meant to deceive; each with what is right.

Everything goes through the command line, in a child that has limits of time and memory.
"""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from tests.hostile import _archives, _columns, _door
from tests.hostile._common import Case, Outcome
from tests.hostile._door import Judge, quiet, refused, rows

Make = Callable[[Path], Path]
WORDS = (
    *("the", "a", "film", "box", "came", "and", "with", "it", "was", "great", "lovely", "awful", "slow"),
    *("sad", "fine", "happy", "broken", "table", "lamp", "road"),
)
ROWS = 40
ENDLESS = "a line of over 256 MB"
CSI, OSC = "\x1b[31m", "\x1b]0;owned\x07"
# What terminals obey, or what hides or turns letters around.
OBEYED = {
    "CSI": CSI,
    "OSC": OSC,
    "clear": "\x1b[2J\x1b[H",
    "report": "\x1b[6n",
    "device control": "\x1bP+q544e\x1b\\",
    "C1 CSI": "\x9b31m",
    "C1 OSC": "\x9d0;x\x9c",
    "bell": "\x07",
    "backspace": "good\b\b\b\bevil",
    "return": "good\revil",
    "form feed": "\x0c",
    "delete": "\x7f",
    "left to right override": "\u202d",
    "right to left override": "\u202egnp.exe",
    "embedding": "\u202a\u202b",
    "isolate": "\u2066\u2067\u2068",
    "end of isolate": "\u2069",
    "marks": "\u200e\u200f\u061c",
    "zero width": "\u200b\u2060",
    "byte order mark": "\ufeff",
    "line separator": "\u2028",
    "paragraph separator": "\u2029",
    "tag": "\U000e0041",
    "markup": "[red]x[/red] [/] [link=http://example.com]y[/link]",
}


def texts(count: int = ROWS, seed: int = 0) -> list[str]:
    """Make texts that are no copies of each other."""
    chance = random.Random(seed)
    return [f"{' '.join(chance.choices(WORDS, k=9))} {chance.getrandbits(40):x}" for _ in range(count)]


def table(more: str = "", count: int = ROWS, text: str = "text", label: str = "label") -> str:
    """Write a CSV of sound rows, with something of one's own below."""
    sound = "".join(f'"{text}",{"ab"[place % 2]}\n' for place, text in enumerate(texts(count)))
    return f"{text},{label}\n{sound}{more}"


def _file(content: str | bytes | Callable[[], str | bytes], name: str = "a.csv") -> Make:
    def make(folder: Path) -> Path:
        data = content() if callable(content) else content
        path = folder / name
        path.write_bytes(data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data)
        return path

    return make


def _check(name: str, make: Make, judge: Judge, *more: str) -> Case:
    def run(folder: Path) -> Outcome:
        return judge(_door.run(folder, ["check", str(make(folder)), "--json", *more]))

    return Case("files", name, run)


def cases(seed: int = 0) -> Iterator[Case]:
    """List all cases, their kinds one after the other."""
    yield from _obeyed()
    yield from _sizes()
    yield from _no_files()
    yield from _json()
    yield from _encodings()
    yield from _tables()
    yield from _archives.cases(_check, table)
    yield from _columns.cases(texts(ROWS))


# --- what a terminal would obey ------------------------------------------------------------------------------


def _obeyed() -> Iterator[Case]:
    for name, evil in OBEYED.items():
        cell = evil.replace("\r", "\x0b").replace('"', "")
        yield _check(f"file name: {name}", _file(table(), f"a{evil.replace('/', '|')}.csv"), rows(ROWS))
        yield _check(f"missing file: {name}", lambda folder, evil=evil: folder / f"{evil}.csv", refused("no file"))
        yield _check(f"column: {name}", _file(table(text=f'"text{cell}"')), quiet)
        labelled = table().replace(",a\n", f',"a{cell}"\n')
        yield _check(f"label: {name}", _file(labelled), quiet)
        cells = "".join(f'"{text} {cell}",{"ab"[place % 2]}\n' for place, text in enumerate(texts()))
        yield _check(f"cell: {name}", _file(f"text,label\n{cells}"), rows(ROWS))
        yield _check(f"option: {name}", _file(table()), refused("no column"), "--text", f"x{evil}")
    for name in ("OSC", "right to left override", "markup"):
        evil = OBEYED[name]
        yield Case("files", f"compared: {name}", partial(_compared, evil=evil))


def _compared(folder: Path, evil: str) -> Outcome:
    path = _file(table().replace(",a\n", f',"a{evil}"\n'), f"a{evil.replace('/', '|')}.csv")(folder)
    command = ["compare", str(path), "--contenders", "majority", "--sizes", "all", "--seeds", "1"]
    outcome = quiet(_door.run(folder, [*command, "--out", str(folder / f"out{evil.replace('/', '|')}")]))
    page = next(folder.glob("out*/report.html")).read_text(encoding="utf-8")
    if any(letter in page for letter in "\x1b\x07\u202e"):
        return Outcome("WRONG", "a control character is in the report")
    return outcome


# --- sizes ---------------------------------------------------------------------------------------------------


def _sizes() -> Iterator[Case]:
    document = lambda size: " ".join(random.Random(size).choices(WORDS, k=size // 5))[:size]  # noqa: E731 (one of a table)
    more = rows(ROWS + 1)
    for size in (131_071, 131_073, 1_000_000, 5_000_000):
        yield _check(f"a document of {size}", _file(lambda size=size: table(f'"{document(size)}",a\n')), more)
        line = lambda size=size: json.dumps({"text": document(size), "label": "a"}) + "\n"  # noqa: E731 (one of a table)
        yield _check(f"a document of {size}, JSON", _file(lambda line=line: _lines() + line(), "a.jsonl"), more)
    yield _check(
        "a cell of 11 MB", _file(lambda: table(f'"{document(11 * 2**20)}",a\n')), rows(ROWS, "1 of 41", rejected=1)
    )
    yield _check(
        "a line of 40 million", _file(lambda: table("x" * 40_000_000)), refused("has over 32 million characters")
    )
    yield _check("30 million commas", _file(lambda: table("," * 30_000_000)), rows(ROWS, rejected=1))
    yield _check("a line of zeros", _file(b"\0" * 2**20), refused("binary data"))
    yield _check("a sparse file", _sparse, refused("binary data"))
    for width, judge in (
        (16_000, rows(ROWS)),
        (20_000, refused("at most 16,384")),
        (100_000, refused("at most 16,384")),
    ):
        yield _check(f"{width} columns", _file(partial(_wide, width)), judge)
        keys = {f"c{number}": 1 for number in range(width)}
        wide = lambda keys=keys: "".join(json.dumps({**row, **keys}) + "\n" for row in _objects())  # noqa: E731 (one of a table)
        yield _check(f"{width} keys", _file(wide, "a.jsonl"), judge)
    yield _check("a million blank lines", _file(lambda: table("\n" * 1_000_000)), rows(ROWS))
    yield _check("a million blank lines above", _file(lambda: "\n" * 1_000_000 + table()), rows(ROWS))
    yield _check("only blank lines", _file(b"\r\n" * 1_000_000), refused("is empty"))
    yield _check("quoted to the end", _file(lambda: 'text,label\n"' + table(count=20_000)), quiet)
    yield _check("a quote in the middle", _file(lambda: table('"' + table(count=20_000)[11:])), quiet)
    yield _check("many stray quotes", _file(lambda: table("".join(f'"stray {n},a\n' for n in range(20_000)))), quiet)
    yield _check("only quotes", _file('"' * 1_000_001), quiet)
    yield _check("single quotes", _file("text,label\n" + (", 'a" * 100_000 + "\n") * 5), quiet)
    yield _check("dashes", _file(table("-" * 1_000_000 + "x,a\n")), rows(ROWS + 1))
    yield _check("digits", _file(table("1" * 1_000_000 + "x,a\n")), rows(ROWS + 1))
    yield _check("a label of zeros", _file(table(f"y,{'0' * 100_000}x\n")), rows(ROWS + 1))
    yield _check("backslashes", _file(table('"' + "\\" * 1_000_000 + '\\"",a\n')), quiet)
    own = "text,label\n" + "".join(f"{text},{place}\n" for place, text in enumerate(texts(5000)))
    yield _check("a label for every row", _file(own), refused("that is no class label"))
    third = "text,label\n" + "".join(f"{text},{place // 3}\n" for place, text in enumerate(texts(6000)))
    yield _check("2,000 labels", _file(third), quiet)


def _sparse(folder: Path) -> Path:
    path = folder / "a.csv"
    with path.open("wb") as file:
        file.truncate(2**40)
    return path


def _wide(width: int) -> str:
    names = ",".join(f"c{number}" for number in range(width))
    lines = (f"{','.join('x' * width)},{row['text']},{row['label']}\n" for row in _objects())
    return f"{names},text,label\n{''.join(lines)}"


# --- devices, pipes, sockets ---------------------------------------------------------------------------------


def _no_files() -> Iterator[Case]:
    for name in ("zero", "full", "null", "tty", "random"):
        yield _check(f"/dev/{name}", lambda _, name=name: Path("/dev", name), refused("is a device or a socket"))
        yield _check(f"a link to /dev/{name}", partial(_link, name), refused("is a device or a socket"))
    yield _check("a folder", lambda folder: folder, refused("is a folder"))
    yield _check("a socket", _socket, refused("is a device or a socket"))
    yield _check("a pipe without a writer", partial(_pipe, command=""), refused("nothing came through the pipe"))
    yield _check("a pipe", partial(_pipe, command="sleep 0.5; cat sound.csv"), rows(ROWS))
    yield _check("a pipe that ends at once", partial(_pipe, command="true"), refused("nothing came through|is empty"))
    yield _check("an endless line in a pipe", partial(_pipe, command="yes | tr -d '\\n'"), refused(ENDLESS))
    yield _check("zeros in a pipe", partial(_pipe, command="cat /dev/zero"), refused(ENDLESS))
    for name, command, judge in (
        ("rows", "cat sound.csv", rows(ROWS)),
        ("nothing", "true", refused("is empty")),
        ("an endless line", "yes | tr -d '\\n'", refused(ENDLESS)),
        ("zeros", "cat /dev/zero", refused(ENDLESS)),
        ("Parquet cut short", "printf 'PAR1 cut short'", refused("damaged Parquet")),
    ):
        yield Case("files", f"standard input: {name}", partial(_stdin, command=command, judge=judge))
    yield _check("a link to itself", _loop, refused("no file|symbolic links"))
    yield _check("a name of 5,000 letters", lambda folder: folder / ("x" * 5000), refused("not the text itself"))


def _link(name: str, folder: Path) -> Path:
    path = folder / "a.csv"
    path.symlink_to(Path("/dev", name))
    return path


def _loop(folder: Path) -> Path:
    path = folder / "a.csv"
    path.symlink_to(path)
    return path


def _socket(folder: Path) -> Path:
    place = os.getcwd()
    os.chdir(folder)  # a socket's path is short
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("a")
    os.chdir(place)
    return folder / "a"


def _pipe(folder: Path, command: str) -> Path:
    (folder / "sound.csv").write_text(table(), encoding="utf-8")
    os.mkfifo(folder / "pipe")
    if command:
        subprocess.Popen(["sh", "-c", f"({command}) > pipe 2> /dev/null"], cwd=folder, start_new_session=True)
    return folder / "pipe"


def _stdin(folder: Path, command: str, judge: Judge) -> Outcome:
    (folder / "sound.csv").write_text(table(), encoding="utf-8")
    with subprocess.Popen(["sh", "-c", command], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as pipe:
        assert pipe.stdout
        ended = _door.run(folder, ["check", "-", "--json"], pipe.stdout.fileno())
    return judge(ended)


# --- JSON ----------------------------------------------------------------------------------------------------


def _objects() -> list[dict[str, object]]:
    return [{"text": text, "label": "ab"[place % 2]} for place, text in enumerate(texts())]


def _lines() -> str:
    return "".join(json.dumps(row) + "\n" for row in _objects())


def _json() -> Iterator[Case]:
    bad = {
        "a number of 5,000 digits": '{"text": "x", "label": "a", "n": ' + "1" * 5000 + "}",
        "nested 100,000 deep": '{"text": "x", "label": "a", "n": ' + "[" * 100_000 + "]" * 100_000 + "}",
        "nested 500 deep": '{"text": "x", "label": "a", "n": ' + "[" * 500 + "]" * 500 + "}",
        "objects 5,000 deep": '{"a":' * 5000 + "1" + "}" * 5000,
        "Python nested 5,000 deep": "{'text': 'x', 'label': " + "[" * 5000 + "]" * 5000 + "}",
        "half a pair": '{"text": "\\ud800", "label": "a"}',
        "NUL": '{"text": "a\\u0000b", "label": "a"}',
        "a list": "[1, 2]",
        "a number": "1",
        "cut short": '{"text": "x", "lab',
        "two objects": '{"text": "x", "label": "a"} {"text": "y", "label": "b"}',
        "a raw control": '{"text": "a\x01b", "label": "a"}',
    }
    for name, line in bad.items():
        content = (_lines() + line + "\n").encode("utf-8", "surrogateescape")
        yield _check(f"JSON line: {name}", _file(content, "a.jsonl"), rows(ROWS, rejected=1))
    yield _check(
        "JSON line: a byte of cp1252",
        _file((_lines() + '{"text": "\xff", "label": "a"}').encode("cp1252"), "a.jsonl"),
        rows(ROWS + 1, "is not UTF-8"),
    )
    good = {
        "infinity": '{"text": "x", "label": "a", "n": 1e999}',
        "not a number": '{"text": "x", "label": "a", "n": NaN}',
        "nested 50 deep": '{"text": "x", "label": "a", "n": ' + "[" * 50 + "]" * 50 + "}",
        "a key twice": '{"text": "y", "text": "x", "label": "a"}',
        "4,000 digits": '{"text": "x", "label": "a", "n": ' + "1" * 4000 + "}",
    }
    for name, line in good.items():
        yield _check(f"JSON line: {name}", _file(_lines() + line + "\n", "a.jsonl"), rows(ROWS + 1))
    documents = {
        "only brackets": "[" * 1_000_000,
        "only objects": '{"a":' * 1_000_000,
        "a string without end": '{"text": "' + "x" * 1_000_000,
        "an empty list": "[]",
        "null": "null",
        "columns of different lengths": '{"text": ["a", "b"], "label": ["x"]}',
        "rows that are no lists": '{"columns": 3, "data": [1, 2]}',
        "split with numbers": '{"columns": ["text", "label"], "data": [1, 2]}',
    }
    for name, content in documents.items():
        yield _check(f"JSON: {name}", _file(content, "a.json"), refused("JSON|columns|empty|row"))
    yield _check("JSON of 300 MB", _file(lambda: '["' + "x" * 300_000_000 + '"]', "a.json"), refused("256 MB"))


# --- encodings -----------------------------------------------------------------------------------------------


def _encodings() -> Iterator[Case]:
    for encoding in ("utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"):
        yield _check(f"{encoding}", _file(table().encode(encoding)), rows(ROWS))
        yield _check(f"{encoding}, cut", _file(table().encode(encoding)[:-1]), quiet)
    accented = table().replace("slow", "café très été").encode("cp1252")
    yield _check("cp1252", _file(accented), rows(ROWS, "was read as cp1252"))
    mixed = table() + "".join(f"très bien {n} déjà,a\n" for n in range(50))
    yield _check("mixed encodings", _file(mixed.encode() + "élan,a\n".encode("cp1252")), rows(ROWS + 50, rejected=1))
    utf7 = table().replace("slow", "café très été").encode("utf-7")
    yield _check("UTF-7", _file(utf7), rows(ROWS, "looks like UTF-7"))
    yield _check("UTF-7, stated", _file(utf7), rows(ROWS), "--encoding", "utf-7")
    for encoding in ("utf-16", "utf-32", "iso2022_jp", "utf-7", "shift_jis"):
        yield _check(f"{encoding} stated for ASCII", _file(table()), quiet, "--encoding", encoding)
    yield _check("a NUL in a row", _file(table("a\0b,a\n")), rows(ROWS, rejected=1))
    yield _check("NUL at the end", _file(table().encode() + b"\0" * 4096), quiet)
    yield _check("a mark inside", _file(table("\ufeffx,a\n")), rows(ROWS + 1))
    yield _check("random bytes", _file(random.Random(0).randbytes(100_000)), refused("binary data|encoding|damaged"))
    yield _check("wrong encoding stated", _file("text,label\né,a\n"), quiet, "--encoding", "ascii")
    for encoding in ("hex", "rot13", "base64", "idna", "punycode", "unicode_escape", "undefined", "mbcs", "a" * 1000):
        yield _check(f"--encoding {encoding[:20]}", _file(table()), quiet, "--encoding", encoding)


# --- tables --------------------------------------------------------------------------------------------------


def _tables() -> Iterator[Case]:
    advice = "needs quotation marks around it"
    for name, line in {"one": "good, really,a", "many": "a, b, c, d, e,b", "label first": "a,b,text here"}.items():

        def judge(ended: _door.Ended) -> Outcome:
            return rows(ROWS, rejected=1)(ended) if advice in ended.out else Outcome("WRONG", "no advice")

        yield _check(f"commas without quotes: {name}", _file(table(line + "\n")), judge)
    for total in ("Total", "total:", "TOTAL 40", "Sum", "合计", "Gesamt", "Итого", "Grand total"):
        yield _check(f"a footer: {total}", _file(table(f"{total},40\n")), rows(ROWS + 1, "looks like a total"))
    yield _check("no footer", _file(table("Total disaster of a film,a\n")), rows(ROWS + 1))
    yield _check("a footer without a label", _file(table("Total,\n")), rows(ROWS, rejected=1))
