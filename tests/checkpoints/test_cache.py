"""What is kept in the cache is what was put there, or is made again."""

import pytest

from headstart.checkpoints import _cache


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Return a folder of the cache, and how often it was made by then."""
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path))
    count = 0

    def make(fresh):
        nonlocal count
        count += 1
        (fresh / "weights").write_bytes(b"12345")

    return lambda: (_cache.made_once("kind/name", make, "made a folder"), count)


def test_a_folder_is_made_once(made, tmp_path):
    assert _cache.find("kind/name") is None
    assert [made(), made()] == [(tmp_path / "kind/name", 1)] * 2
    assert _cache.find("kind/name") == tmp_path / "kind/name"


@pytest.mark.parametrize("name", ["weights", "sealed.json"])
@pytest.mark.parametrize("content", [b"", b"[]", b"12346"])
def test_a_damaged_folder_is_made_again(made, name, content, capsys):
    folder, _ = made()
    (folder / name).write_bytes(content)
    assert made() == (folder, 2)
    assert (folder / "weights").read_bytes() == b"12345"
    assert f"'{folder}' is damaged, so it is deleted and made again." in capsys.readouterr().err


def test_a_damaged_folder_is_not_found(made, tmp_path):
    folder, _ = made()
    (folder / "weights").unlink()
    assert _cache.find("kind/name") is None
    assert not folder.exists()
