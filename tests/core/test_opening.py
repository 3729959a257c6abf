import pytest

from headstart.core.errors import CheckpointError, UsageError
from headstart.core.opening import guarded, parsed_object, present, read_bytes


class PanicException(BaseException):
    pass


@pytest.mark.parametrize(
    "error",
    [ValueError("a\nb\x1b[31m"), KeyError("x"), RecursionError(), MemoryError(), OSError(40, "loop"), PanicException()],
)
def test_whatever_is_raised_becomes_one_sentence_with_the_folder(error):
    sentence = r"^'some/folder' cannot be read as a model \(\w+(: .+)?\); copy"
    with pytest.raises(CheckpointError, match=sentence) as raised, guarded("some/folder"):
        raise error
    assert str(raised.value).isprintable()
    assert raised.value.__cause__ is error


@pytest.mark.parametrize("error", [UsageError("no such model."), KeyboardInterrupt(), SystemExit(3)])
def test_what_is_explained_and_what_interrupts_passes(error):
    with pytest.raises(type(error)) as raised, guarded("folder"):
        raise error
    assert raised.value is error


def test_a_name_of_something_else_than_a_file(tmp_path):
    assert not present(tmp_path / "none")
    (tmp_path / "file").write_text("")
    assert present(tmp_path / "file")
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "dead").symlink_to(tmp_path / "none")
    for name in ("folder", "loop", "dead"):
        with pytest.raises(CheckpointError, match=f"{name}' is no file but a folder, a device or a link that leads"):
            present(tmp_path / name)


def test_json_that_is_no_object_and_files_that_are_too_large(tmp_path):
    (tmp_path / "x.json").write_bytes(b'{"a": 1}')
    with pytest.raises(
        CheckpointError, match=r"x\.json is larger than 0 MiB, so it is no tokenizer's file and no settings"
    ):
        read_bytes(tmp_path / "x.json", most=7)
    for content, reason in (
        (b"[]", "contains no JSON object"),
        (b"[" * 9**5, "not readable JSON"),
        (b"\xff", "not readable"),
    ):
        with pytest.raises(CheckpointError, match=reason):
            parsed_object(content, tmp_path / "x.json")
