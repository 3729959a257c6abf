"""Names of the backbones that compete."""

from headstart.contest import backbones


def test_a_folder_with_a_comma_in_its_name_is_one_backbone(tmp_path):
    folder = tmp_path / "a,b"
    assert backbones.read(str(folder)) == (str(tmp_path / "a"), "b")
    folder.mkdir()
    assert backbones.read(str(folder)) == (str(folder),)


def test_a_folder_in_two_spellings_is_one_backbone(tmp_path, monkeypatch):
    (tmp_path / "model").mkdir()
    monkeypatch.chdir(tmp_path)
    assert backbones.read(f"model,./model/,{tmp_path}/model,minilm") == ("model", "minilm")


def test_names_hold_none_of_the_marks_that_divide_leaderboard_names():
    names = backbones.named(["hf://owner/model@v1", "./a:b+c d"])
    assert [*names] == ["model-v1", "a-b-c-d"]


def test_equal_names_are_numbered_where_nothing_else_tells_them_apart():
    assert [*backbones.named(["/a+b/x", "/a-b/x"])] == ["a-b-x-1", "a-b-x-2"]
    assert [*backbones.named(["minilm", "/own/minilm"])] == ["minilm", "own-minilm"]


def test_a_model_in_the_hub_s_cache_has_its_name_on_the_hub():
    cached = "/cache/models--google-bert--bert-base-uncased/snapshots/86b5e0934494"
    assert backbones.name_of(cached) == "bert-base-uncased"
    assert [*backbones.named([cached, "minilm"])] == ["bert-base-uncased", "minilm"]
    assert [*backbones.named([cached, "/own/bert-base-uncased"])] == [
        "google-bert-bert-base-uncased",
        "own-bert-base-uncased",
    ]
