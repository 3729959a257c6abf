"""Plugins are found by their file names, and their options are read by their types."""

import subprocess
import sys
from dataclasses import dataclass

import pytest

import headstart.contenders
from headstart.core import rooms
from headstart.core.errors import UsageError


def test_the_folder_is_the_registry():
    assert rooms.names("strategies") == sorted(rooms.names("strategies"))
    assert {"full", "frozen", "partial"} <= set(rooms.names("strategies"))
    assert not any(name.startswith("_") for name in rooms.names("contenders"))


@pytest.fixture
def third_party(tmp_path, monkeypatch):
    """Add a folder to the contenders; write(name, source) puts a file there."""
    monkeypatch.setattr(headstart.contenders, "__path__", [*headstart.contenders.__path__, str(tmp_path)])

    def write(name, source):
        (tmp_path / f"{name}.py").write_text(source)
        monkeypatch.delitem(sys.modules, f"headstart.contenders.{name}", raising=False)

    yield write
    for path in tmp_path.glob("*.py"):
        sys.modules.pop(f"headstart.contenders.{path.stem}", None)


def test_files_that_begin_with_an_underscore_are_shared(third_party):
    third_party("_helpers", "")
    third_party("nearest", "raise AssertionError('imported')")
    assert {"helpers", "_helpers", "-helpers"}.isdisjoint(rooms.names("contenders"))
    assert "nearest" in rooms.names("contenders")
    assert "bert" in rooms.names("checkpoints.families")


@pytest.mark.parametrize("source", ["", "PLUGIN = 3"])
def test_a_file_that_defines_no_plugin_is_named(third_party, source):
    third_party("unfinished", source)
    with pytest.raises(UsageError, match=r"unfinished\.py defines no PLUGIN: add the line .*, or begin the file's"):
        rooms.plugin("contenders", "unfinished")


@pytest.fixture
def file_events():
    """Collect what is opened and what is listed while the fixture is in use."""
    events, watching = [], True

    def watch(event, arguments):
        # Looking for packages inside also lists the folder of compiled files, where there is one.
        if watching and event in ("open", "os.listdir", "os.scandir") and "__pycache__" not in str(arguments[0]):
            events.append((event, str(arguments[0])))

    sys.addaudithook(watch)  # it cannot be removed
    yield events
    watching = False


def test_plugins_are_listed_without_opening_a_file_and_a_folder_is_read_once_per_process(file_events):
    rooms._listed.cache_clear()
    for _ in range(3):
        assert "full" in rooms.names("strategies")
        assert "linear" in rooms.names("contenders")
    assert [event for event, _ in file_events] == ["os.listdir"] * 2, file_events


def test_an_underscore_in_a_file_s_name_is_a_hyphen_in_the_plugin_s():
    assert "xlm-roberta" in rooms.names("checkpoints.families")
    assert rooms.plugin("checkpoints.families", "xlm-roberta").__module__.endswith(".families.xlm_roberta")
    with pytest.raises(UsageError, match="no checkpoint family 'xlm_roberta'; did you mean 'xlm-roberta'"):
        rooms.plugin("checkpoints.families", "xlm_roberta")


def test_an_unknown_plugin_is_named_with_the_nearest():
    with pytest.raises(UsageError, match="no strategy 'fulll'; did you mean 'full'"):
        rooms.load("strategies", "fulll")


def test_an_unknown_option_is_named_with_the_nearest():
    with pytest.raises(UsageError, match="contender 'scratch' has no option 'layer'; did you mean 'layers'"):
        rooms.load("contenders", "scratch", {"layer": 3})


def test_text_from_the_command_line_becomes_the_fields_type():
    assert rooms.load("contenders", "scratch", {"layers": "4", "dropout": "0.5"}).layers == 4
    assert rooms.load("contenders", "scratch", {"dropout": "1e-1"}).dropout == 0.1


@pytest.mark.parametrize("value", ["four", "4.5", 4.5, True, None, [4]])
def test_a_value_of_another_type_is_refused(value):
    with pytest.raises(UsageError, match="option 'layers' of contender 'scratch' must be int, not"):
        rooms.load("contenders", "scratch", {"layers": value})


@pytest.mark.parametrize(
    ("contender", "option", "message"),
    [
        ("finetuned", "pooling", "did you mean 'mean'"),
        ("scratch", "pooling", "did you mean 'mean'"),
        ("selfpretrained", "pooling", "did you mean 'mean'"),
        ("selfpretrained", "size", "did you mean 'mini'"),
        ("distilled", "method", "known: logits, minilm, tinybert"),
        ("ensemble", "how", "did you mean 'mean'"),
        ("finetuned", "decay", "known: constant, cosine, inverse-root, linear, step"),
        ("scratch", "class_weights", "known: balanced, none"),
    ],
)
def test_a_choice_that_an_option_does_not_have_is_refused_before_anything_is_trained(contender, option, message):
    with pytest.raises(UsageError, match=f"option '{option}' of contender '{contender}' cannot be 'meen'; {message}"):
        rooms.load("contenders", contender, {option: "meen"})


@pytest.mark.parametrize(("option", "value"), [("epochs", "-1"), ("epochs", -1), ("warmup", "nan"), ("warmup", -0.1)])
def test_a_number_below_zero_is_refused(option, value):
    with pytest.raises(UsageError, match=f"option '{option}' of contender 'finetuned' is (-|nan).*; give a number"):
        rooms.load("contenders", "finetuned", {option: value})


def test_choices_are_taken_as_they_are():
    assert rooms.load("contenders", "finetuned", {"pooling": "checkpoint"}).pooling == "checkpoint"
    assert rooms.load("contenders", "finetuned", {"pooling": "mean"}).pooling == "mean"


@dataclass(frozen=True)
class Many:
    """Fields of every kind that a plugin may have."""

    flag: bool = False
    maybe: int | None = None
    names: tuple[str, ...] = ()


def read(**options):
    import typing

    hints = typing.get_type_hints(Many)
    return {key: rooms._read(value, hints[key], key) for key, value in options.items()}


def test_flags_optional_values_and_lists():
    assert read(flag="true", maybe=None, names="a+b") == {"flag": True, "maybe": None, "names": ("a", "b")}
    assert read(flag=False, maybe="3", names=["c"]) == {"flag": False, "maybe": 3, "names": ("c",)}


def test_every_plugin_of_every_room_says_what_it_is():
    for room in ("contenders", "strategies", "tasks", "checkpoints.families", "trackers", "stress"):
        for name in rooms.names(room):
            assert rooms.promise(room, name).endswith("."), f"{room}/{name} begins with no sentence"


def test_plugins_are_described_and_their_options_read_without_heavy_libraries():
    code = """
import sys
from headstart.core import rooms
for room in ("contenders", "strategies", "tasks", "trackers", "stress"):
    for name in rooms.names(room):
        rooms.promise(room, name)
        rooms.load(room, name, {"input_columns": ("text=text",)} if name == "classification" else {})
names = "torch numpy scipy sklearn pydantic pandas safetensors tokenizers wandb mlflow"
heavy = set(names.split()) & set(sys.modules)
assert not heavy, heavy
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
