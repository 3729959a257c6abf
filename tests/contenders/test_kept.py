"""States are computed once per text, found again, bounded, and never half written."""

import numpy as np
import pytest
import torch

from headstart.contenders import _kept


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
    names = _kept.name_texts(tokens, boundaries)
    return _kept.keep(
        folder, "key", names, sizes, 3, 1, by_token, states(tokens, boundaries, computed, by_token, **how)
    )


@pytest.mark.parametrize("by_token", [True, False])
def test_each_text_is_computed_once(tmp_path, by_token):
    computed = []
    kept, reused = keep(tmp_path, [2, 1, 3], computed, by_token)
    assert (computed, reused) == ([2, 1, 0], 0.0)
    assert kept.states[torch.from_numpy(kept.starts)][:, 0].tolist() == [0, 2, 3]
    more, reused = keep(tmp_path, [2, 1, 3, 4], computed, by_token)
    assert computed == [2, 1, 0, 3]
    assert reused > 0
    assert more.states[torch.from_numpy(more.starts)][:, 0].tolist() == [0, 2, 3, 6]
    if by_token:
        assert more.states[more.starts[3] + 3, 0] == 9


def test_equal_texts_are_one(tmp_path):
    tokens, boundaries = np.array([4, 5, 4, 5], dtype=np.int32), np.array([0, 2, 4])
    names = _kept.name_texts(tokens, boundaries)
    computed = []
    compute = states(tokens, boundaries, computed, True)
    kept, _ = _kept.keep(tmp_path, "key", names, np.array([2, 2]), 3, 1, True, compute)
    assert computed == [0]
    assert kept.starts.tolist() == [0, 0]


def test_a_kill_while_rows_are_added_loses_only_these(tmp_path):
    computed = []
    keep(tmp_path, [2, 1], computed)
    with pytest.raises(KeyboardInterrupt):
        keep(tmp_path, [2, 1, 3, 4], computed, die=True)
    kept, _ = keep(tmp_path, [2, 1, 3, 4], computed)
    assert computed == [1, 0, 3, 3, 2]
    assert kept.states[torch.from_numpy(kept.starts)][:, 0].tolist() == [0, 2, 3, 6]


def test_older_files_make_room_and_what_is_too_large_is_not_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(_kept, "MOST_BYTES", 60)
    (tmp_path / "old.rows").write_bytes(b"x" * 50)
    (tmp_path / "old.index").write_bytes(b"x")
    kept, _ = keep(tmp_path, [2, 1], [])
    assert len(kept.states) == 3
    assert not list(tmp_path.glob("old.*"))
    computed = []
    assert keep(tmp_path, [20, 1], computed, start=100) == (None, 0.0)
    assert computed == []
