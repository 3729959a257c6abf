"""States are computed once per text, found again, bounded, and never half written."""

import multiprocessing
import time

import numpy as np
import pytest
import torch

from headstart.activations import store


def texts(lengths, start=0):
    boundaries = np.concatenate([[0], np.cumsum(lengths)])
    tokens = np.arange(start, start + boundaries[-1], dtype=np.int32)
    return tokens, boundaries, np.array(lengths, dtype=np.int64)


def states(tokens, boundaries, computed, by_token, die=False):
    """Give each token its own number as its state, a text a batch, the last text first."""

    def compute(missing):
        for text in missing[::-1]:
            computed.append(int(text))
            own = torch.from_numpy(tokens[boundaries[text] : boundaries[text + 1]]).float()[:, None].repeat(1, 3)
            yield np.array([text]), own if by_token else own[:1]
            if die:
                raise KeyboardInterrupt

    return compute


def keep(folder, lengths, computed, by_token=True, start=0, **how):
    tokens, boundaries, sizes = texts(lengths, start)
    names = store.name_texts(tokens, boundaries)
    return store.keep(
        folder, "key", names, sizes, 3, 1, by_token, states(tokens, boundaries, computed, by_token, **how)
    )


@pytest.mark.parametrize("by_token", [True, False])
def test_each_text_is_computed_once(tmp_path, by_token):
    computed = []
    stored, reused = keep(tmp_path, [2, 1, 3], computed, by_token)
    assert (computed, reused) == ([2, 1, 0], 0.0)
    assert stored.states[torch.from_numpy(stored.starts)][:, 0].tolist() == [0, 2, 3]
    more, reused = keep(tmp_path, [2, 1, 3, 4], computed, by_token)
    assert computed == [2, 1, 0, 3]
    assert reused > 0
    assert more.states[torch.from_numpy(more.starts)][:, 0].tolist() == [0, 2, 3, 6]
    if by_token:
        assert more.states[more.starts[3] + 3, 0] == 9


def test_equal_texts_are_one(tmp_path):
    tokens, boundaries = np.array([4, 5, 4, 5], dtype=np.int32), np.array([0, 2, 4])
    names = store.name_texts(tokens, boundaries)
    computed = []
    compute = states(tokens, boundaries, computed, True)
    stored, _ = store.keep(tmp_path, "key", names, np.array([2, 2]), 3, 1, True, compute)
    assert computed == [0]
    assert stored.starts.tolist() == [0, 0]


def test_a_kill_while_rows_are_added_loses_only_these(tmp_path):
    computed = []
    keep(tmp_path, [2, 1], computed)
    with pytest.raises(KeyboardInterrupt):
        keep(tmp_path, [2, 1, 3, 4], computed, die=True)
    stored, _ = keep(tmp_path, [2, 1, 3, 4], computed)
    assert computed == [1, 0, 3, 3, 2]
    assert stored.states[torch.from_numpy(stored.starts)][:, 0].tolist() == [0, 2, 3, 6]


def test_older_files_make_room_and_what_is_too_large_is_not_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "MOST_BYTES", 60)
    (tmp_path / "old.rows").write_bytes(b"x" * 50)
    (tmp_path / "old.index").write_bytes(b"x")
    stored, _ = keep(tmp_path, [2, 1], [])
    assert len(stored.states) == 3
    assert not list(tmp_path.glob("old.*"))
    computed = []
    assert keep(tmp_path, [20, 1], computed, start=100) == (None, 0.0)
    assert computed == []


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def replace_by_folder(path):
    path.unlink()
    path.mkdir()


DAMAGES = {
    "deleted": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "flipped": flip,
    "list": lambda path: path.write_text("[]"),
    "folder": replace_by_folder,
}


# A process does not read again what it has written, so of rows it looks at the size alone.
SEEN_BY_THE_NEXT = {("key.rows", "flipped"), ("key.rows", "zeros")}
CASES = [
    (name, how, process)
    for name in ("key.rows", "key.index")
    for how in DAMAGES
    for process in ("same", "next")
    if process == "next" or (name, how) not in SEEN_BY_THE_NEXT
]


@pytest.mark.parametrize(("name", "how", "process"), CASES)
def test_what_is_damaged_is_computed_again(tmp_path, name, how, process, capsys):
    keep(tmp_path, [2, 1, 3], [])
    keep(tmp_path, [2, 1, 3, 4], [])
    DAMAGES[how](tmp_path / name)
    if process == "next":
        store._sound.clear()
    computed = []
    stored, reused = keep(tmp_path, [2, 1, 3, 4], computed)
    assert (sorted(computed), reused) == ([0, 1, 2, 3], 0.0)
    assert stored.states[torch.from_numpy(stored.starts)].tolist() == [[0] * 3, [2] * 3, [3] * 3, [6] * 3]
    assert len(stored.states) == 10
    messages = capsys.readouterr().err.count("key.index' is damaged, so it is deleted and made again.")
    assert messages == ((name, how) != ("key.index", "deleted"))


def test_what_is_sound_is_read_once_a_process(tmp_path, monkeypatch):
    keep(tmp_path, [2, 1, 3], [])
    keep(tmp_path, [2, 1, 3, 4], [])
    store._sound.clear()
    read = []
    is_sound = store._is_sound
    monkeypatch.setattr(store, "_is_sound", lambda path, part: read.append(part) or is_sound(path, part))
    for _ in range(2):
        computed = []
        keep(tmp_path, [2, 1, 3, 4], computed)
        assert computed == []
    assert [(start, end) for *_, start, end, _ in read] == [(0, 36), (36, 60)]


def test_two_processes_compute_each_text_once(tmp_path):
    def work(lengths, results):
        computed = []
        tokens, boundaries, sizes = texts(lengths)
        names = store.name_texts(tokens, boundaries)

        def slowly(missing):
            for batch in states(tokens, boundaries, computed, True)(missing):
                time.sleep(0.02)
                yield batch

        stored, _ = store.keep(tmp_path, "key", names, sizes, 3, 1, True, slowly)
        results.put((computed, stored.states[torch.from_numpy(stored.starts)][:, 0].tolist()))

    fork = multiprocessing.get_context("fork")
    results = fork.SimpleQueue()
    processes = [
        fork.Process(target=work, args=(lengths, results)) for lengths in ([2, 1, 3, 4], [2, 1, 3], [2, 1, 3, 4, 5])
    ]
    for process in processes:
        process.start()
    answers = [results.get() for _ in processes]
    for process in processes:
        process.join()
    assert sorted(text for computed, _ in answers for text in computed) == [0, 1, 2, 3, 4]
    for _, values in answers:
        assert values == [0, 2, 3, 6, 10][: len(values)]
