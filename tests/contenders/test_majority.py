from headstart.contenders.majority import Majority
from headstart.core.records import Rows, Run
from headstart.tasks.classification import Classification


def test_every_text_gets_the_most_frequent_class_and_the_shares(tmp_path):
    train = Rows(("1", "2", "3", "4"), ("a", "b", "c", "d"), ("ham", "spam", "spam", "spam"))
    fitted = Majority().fit(train, train, Classification().fitted(train), Run(0, tmp_path))
    predictions = fitted.predict(["anything", ""])
    assert predictions.values == ("spam", "spam")
    assert predictions.probabilities.tolist() == [[0.25, 0.75]] * 2
    assert fitted.parameters == 0


def test_a_tie_goes_to_the_first_class(tmp_path):
    train = Rows(("1", "2"), ("a", "b"), ("z", "a"))
    fitted = Majority().fit(train, train, Classification().fitted(train), Run(0, tmp_path))
    assert fitted.predict(["x"]).values == ("a",)
