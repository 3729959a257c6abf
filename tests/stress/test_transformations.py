"""What each transformation makes of texts, and what all of them promise."""

from itertools import pairwise
from random import Random

import pytest

from headstart import stress
from headstart.core import rooms
from headstart.core.errors import UsageError
from headstart.stress import Edit, applied, moved, typos

TEXTS = (
    "John Smith isn't sure, but the café is good: it was built in 1887 by Mary.  Was it?",
    "DO NOT MISS IT! Würde ich wieder kaufen, 25 Stück; www.example.com ist gut.",
    "这本书不好看，我买了12本。张伟说：没有意思",
    "a",
    "",
    " \t\n",
    "👍🏽 ok",
)
ALL = stress.load_all()


@pytest.mark.parametrize("transformation", ALL, ids=[each.name for each in ALL])
def test_edits_are_in_order_and_depend_on_the_random_numbers_alone(transformation):
    for text in TEXTS:
        edits = transformation.edits(text, Random(0))
        assert edits == transformation.edits(text, Random(0))
        assert all(0 <= edit.start <= edit.end <= len(text) for edit in edits)
        applied(text, edits)  # which checks their order


def changed(name: str, text: str, number: int = 0) -> str:
    return next(
        applied(text, each.edits(text, Random(number))) for each in ALL if each.name in (name, f"{name}:removed")
    )


def test_an_unknown_transformation_is_named_with_the_nearest():
    with pytest.raises(UsageError, match="no transformation 'typo'; did you mean 'typos'"):
        stress.load_all(["typo"])


def test_every_transformation_says_what_it_does():
    for name in rooms.names("stress"):
        assert rooms.promise("stress", name).endswith(".")


def test_places_move_with_the_text():
    text = "Ann met Bob Lee."
    edits = [Edit(0, 0, "> "), Edit(1, 2, "nn"), Edit(7, 9, "  R"), Edit(15, 16, "")]
    after = applied(text, edits)
    assert after == "> Annn met  Rob Lee"
    assert [after[slice(*moved(span, edits))] for span in ((0, 3), (4, 7), (12, 15))] == ["Annn", "met", "Lee"]
    assert after[slice(*moved((8, 15), edits))] == "  Rob Lee"  # an edit at its edge is inside


def test_typos_change_more_words_at_higher_rates_and_the_same_ones():
    text = " ".join(["wonderful", "film"] * 200)
    by_rate = [set(map(str, each.edits(text, Random(1)))) for each in stress.load("typos")]
    assert all(fewer < more for fewer, more in pairwise(by_rate))
    assert [round(len(edits) / 400, 2) for edits in by_rate] == pytest.approx([0.02, 0.05, 0.1, 0.2], abs=0.03)


def test_typos_keep_short_words_first_letters_and_numbers():
    text = "It is not bad 123456 " * 50 + "Great"
    always = typos.Typos(1.0)
    for number in range(20):
        after = applied(text, always.edits(text, Random(number)))
        assert after.startswith("It is not bad 123456 ")
        assert after.split()[-1].startswith("G")
        assert after.split()[-1] != "Great"


def test_typos_keep_english_negations():
    text = "Never again. I didn't like it, nothing works without help, and it cannot last: Nobody DOESNT complain " * 3
    changed = applied(text, typos.Typos(1.0).edits(text, Random(0)))
    kept = ("never", "didn", "nothing", "without", "cannot", "nobody", "doesnt")
    for word in kept:
        assert changed.lower().count(word) == 3
    assert "again" not in changed


def test_typos_are_swaps_gaps_repeats_and_neighbouring_keys():
    made = {applied("house", typos.Typos(1.0).edits("house", Random(number))) for number in range(300)}
    assert {"huose", "hose", "houuse", "hoyse"} <= made
    assert "house" not in made
    assert set(typos.NEIGHBOURS["g"]) == set("tyfhvb")
    assert all(key in typos.NEIGHBOURS[other] for key, others in typos.NEIGHBOURS.items() for other in others)


def test_typos_in_chinese_move_or_repeat_characters_but_no_negation():
    text = "这本书不好看"
    for number in range(50):
        after = applied(text, typos.Typos(1.0).edits(text, Random(number)))
        assert after != text
        assert set(after) == set(text)
        assert after.index("不") in range(3, 7)
        assert after.count("不") == 1


def test_case_punctuation_and_spaces():
    assert changed("case:upper", "Straße 5, ok") == "STRASSE 5, OK"
    assert changed("case:lower", "NASA Said So") == "nasa said so"
    assert changed("punctuation", "Well, 3.5 at a.com ; fine... Yes? No!") == "Well 3.5 at a.com fine Yes? No!"
    assert changed("punctuation", "好看，便宜。") == "好看 便宜"
    words = " ".join("abcdefghij" * 10)
    assert changed("spaces", words) != words
    assert changed("spaces", words).split() == words.split()
    assert changed("spaces", "这本书很好看" * 9).replace(" ", "") == "这本书很好看" * 9


def test_accents_are_left_out_or_added_to_some_vowels():
    assert changed("accents:removed", "Café é e\u0301 naïve, Žižek, ß, 北京") == "Cafe e e naive, Zizek, ß, 北京"
    after = changed("accents:added", "banana " * 50)
    marked = [letter for letter in after if not letter.isascii()]
    assert set(marked) == set("áàäâ")
    assert 5 <= len(marked) <= 25


def test_contractions_are_written_out_and_the_other_way_round():
    text = "It isn't bad, I'm sure they're fine; we do n't know. Can't you? DON'T. She is not here and will not come."
    after = changed("contractions", text)
    assert after == (
        "It is not bad, I am sure they are fine; we do not know. Cannot you? DON'T. She isn't here and won't come."
    )
    assert changed("contractions", "I cannot say. You are right.") == "I can't say. You're right."


def test_a_negation_is_inserted_once_and_only_where_there_is_none():
    assert changed("negation", "The film is good and it was fun.") == "The film is not good and it was fun."
    assert changed("negation", "It isn't good, is it? It was great") == "It isn't good, is not it? It was great"
    for text in ("It is not good", "It was never good", "A good film", "That is, well"):
        assert changed("negation", text) == text


def test_a_name_is_replaced_by_one_of_its_list_everywhere_and_in_all_texts_of_an_input():
    names = next(each for each in ALL if each.name == "names")
    text = "Mary told JOHN that mary, not Johnny, called 张伟."
    first, told, second, *_ = (edit.text for edit in names.edits(text, Random(0)))
    assert (first.lower(), told) == (second, told.upper())
    assert applied(text, names.edits(text, Random(0))).count("Johnny") == 1
    assert [edit.text for edit in names.edits("Mary", Random(0))] == [first]
    assert [edit.text for edit in names.edits("Mary", Random(1))] != [first]
    assert not any(edit.text.lower() == "john" for number in range(99) for edit in names.edits("John", Random(number)))


def test_numbers_have_as_many_digits_as_before_and_ratings_stay():
    kept = "7 days, 10/10, 50 %, 25%, 3.14, 1,200, 2024-05-06, B52, 12:30"
    assert changed("numbers", kept) == kept
    for number in range(50):
        _, first, _, _, second, third = changed("numbers", "In 1999 we paid 12 1999", number).split()
        assert (len(first), len(second)) == (4, 2)
        assert first == third != "1999"
        assert second != "12"


def test_truncation_cuts_the_second_half_of_the_words():
    assert changed("truncation", "a good film, but far too long") == "a good film,"
    assert changed("truncation", "很好看的书") == "很好"
    assert changed("truncation", "very good film") == "very good film"


def test_an_emoji_comes_at_the_end():
    after = changed("emoji", "fine \n")
    assert after.startswith("fine ")
    assert after.endswith(" \n")
    assert len(after) == 8
