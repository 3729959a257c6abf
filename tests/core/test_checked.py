"""A JSON file that holds the hash of its content: whatever is changed in it shows."""

import json

import pytest

from headstart.core import checked
from headstart.core.errors import CheckpointError

VALUES = {
    "format": 1,
    "name": "höher \ud800",
    "sizes": [1, 20],
    "score": 0.30000000000000004,
    "deep": {"none": None, "nan": 1e-05},
}


def test_every_changed_byte_is_an_error_or_changes_nothing(tmp_path):
    path = tmp_path / "file.json"
    checked.write(path, VALUES)
    assert checked.read(path, "delete it") == VALUES
    whole, errors = path.read_bytes(), []
    for place in range(len(whole)):
        for byte in {b"0"[0], b"7"[0], b" "[0], whole[place] ^ 1} - {whole[place]}:
            path.write_bytes(whole[:place] + bytes([byte]) + whole[place + 1 :])
            try:
                assert checked.read(path, "delete it", unhashed=0) == VALUES
                assert bytes([whole[place], byte]).isspace()
            except CheckpointError as error:
                errors.append(str(error))
    assert len(errors) > 2 * len(whole)
    assert all(error.startswith(f"'{path}' is damaged (") and error.endswith("; delete it.") for error in errors)


@pytest.mark.parametrize("content", ["", "[]", "1", "nul", "[" * 100_000, '{"a": 1}'])
def test_what_was_never_written_so_is_an_error(tmp_path, content):
    path = tmp_path / "file.json"
    path.write_text(content)
    with pytest.raises(CheckpointError, match=r"file\.json' is damaged \(.*\); delete it\.$"):
        checked.read(path, "delete it")


def test_a_file_that_is_missing_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"file\.json' cannot be read \(No such file or directory\); delete it"):
        checked.read(tmp_path / "file.json", "delete it")


def test_only_formats_from_before_the_hash_may_lack_it(tmp_path):
    path = tmp_path / "file.json"
    for values in ({"a": 1}, {"a": 1, "format": 1}):
        path.write_text(json.dumps(values))
        assert checked.read(path, "delete it", unhashed=1) == values
    path.write_text('{"a": 1, "format": 2}')
    with pytest.raises(CheckpointError, match="its content does not match its SHA-256"):
        checked.read(path, "delete it", unhashed=1)


def test_the_order_of_keys_does_not_count(tmp_path):
    path = tmp_path / "file.json"
    path.write_text(json.dumps(dict(reversed(checked.with_hash(VALUES).items()))))
    assert checked.read(path, "delete it") == VALUES
