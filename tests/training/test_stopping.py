from headstart.training.stopping import Best


def test_a_higher_score_wins_and_a_lower_loss_breaks_ties():
    best = Best().after(0.8, 0.5, step=1)
    assert best.improved_by(0.81, 9.0)
    assert best.improved_by(0.8, 0.4)
    assert not best.improved_by(0.8, 0.5)
    assert not best.improved_by(0.79, 0.1)


def test_evaluations_without_improvement_are_counted_from_the_best():
    best = Best().after(0.8, 0.5, 1).after(0.7, 0.1, 2).after(0.7, 0.1, 3)
    assert (best.step, best.since) == (1, 2)
    assert best.after(0.9, 1.0, 4).since == 0
