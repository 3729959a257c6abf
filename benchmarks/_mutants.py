"""Faults put into contests, metrics and the division of rows by hand, with the tests that should notice each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """One fault.

    name: what the faulty program does. file: in ``src/headstart``. old: text that occurs in it exactly once.
    new: what takes its place. tests: files in ``tests``, the likeliest to fail first.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


PROTOCOL = "contracts/test_protocol.py"
RUN, MODELS, TRIALS = "contest/test_run.py", "contest/test_models.py", "contest/test_trials.py"
RANK, LADDER, CURVE = "contest/test_rank.py", "contest/test_ladder.py", "contest/test_curve.py"
STATS, LABELS, CALIBRATION = "metrics/test_stats.py", "metrics/test_labels.py", "metrics/test_calibration.py"
SPLIT = "data/test_split.py"

MUTANTS = (
    # --- contest ---
    Mutant(
        "the kept seed is chosen on test rows",
        "contest/run.py",
        '"validation": models.merit(validation, fitted.task, terms)',
        '"validation": models.merit(metric_values(fitted.task, predictions, splits.test), fitted.task, terms)',
        (MODELS,),
    ),
    Mutant(
        "all seeds share one subset of a learning curve",
        "contest/run.py",
        "[trial.size], trial.seed)",
        "[trial.size], 0)",
        (RUN,),
    ),
    Mutant(
        "a training has ten times its minutes",
        "contest/run.py",
        "        terms.minutes,\n",
        "        terms.minutes and 10 * terms.minutes,\n",
        (RUN,),
    ),
    Mutant(
        "all trainings have seed 0",
        "contest/run.py",
        "        trial.seed,\n        job.folder,",
        "        0,\n        job.folder,",
        (RUN,),
    ),
    Mutant(
        "checkpoints are chosen by accuracy whatever the metric",
        "contest/run.py",
        "        terms.metric,\n",
        '        "accuracy",\n',
        (RUN,),
    ),
    Mutant(
        "contenders choose on test rows",
        "contest/run.py",
        "contender.fit(rows, splits.validation,",
        "contender.fit(rows, splits.test,",
        (RUN, PROTOCOL),
    ),
    Mutant(
        "classes are those of the test rows",
        "contest/run.py",
        "contest.task.fitted(rows), run)",
        "contest.task.fitted(splits.test), run)",
        (RUN, PROTOCOL),
    ),
    Mutant(
        "latency is timed on test rows",
        "contest/run.py",
        "meter.latency(fitted, splits.validation.inputs)",
        "meter.latency(fitted, splits.test.inputs)",
        (RUN,),
    ),
    Mutant(
        "openings of the test rows are not logged",
        "contest/run.py",
        "    openings.log(terms, job, job.key in contest.asked)\n",
        "",
        (RUN,),
    ),
    Mutant(
        "an opening for transformed test rows is not logged",
        "contest/stress_records.py",
        "    openings.log(terms, job, stressed=True)\n",
        "",
        ("contest/test_stress_records.py",),
    ),
    Mutant(
        "the loss after a transformation is not paired by rows",
        "contest/stress.py",
        "before, after = self.copies.original.take(places), self.copies.rows.take(places)",
        "before, after = self.copies.original.take(places[::-1]), self.copies.rows.take(places)",
        ("contest/test_stress.py",),
    ),
    Mutant(
        "of equally good seeds the last is kept",
        "contest/models.py",
        'other["validation"] >= note["validation"]',
        'other["validation"] > note["validation"]',
        (MODELS,),
    ),
    Mutant(
        "the worst kept seed is announced",
        "contest/models.py",
        'return max(candidates, key=lambda one: (one[1]["validation"]',
        'return min(candidates, key=lambda one: (one[1]["validation"]',
        (MODELS,),
    ),
    Mutant(
        "the representative of a level is chosen on test rows",
        "contest/rank.py",
        "fmean(record.validation[metric.name] for",
        "fmean(record.scores[metric.name] for",
        (RANK, LADDER),
    ),
    Mutant(
        "p-values of pairs are not corrected",
        "contest/rank.py",
        "stats.holm([compared.p_value for compared in comparisons])",
        "[compared.p_value for compared in comparisons]",
        (RANK, LADDER),
    ),
    Mutant(
        "the last bit of a mean decides who leads",
        "contest/rank.py",
        "    return round(score, 9)",
        "    return score",
        (RANK,),
    ),
    Mutant(
        "trials on fewer rows count on the leaderboard",
        "contest/rank.py",
        "        if record.trial.size is None:\n            teams",
        "        if True:\n            teams",
        (RANK,),
    ),
    Mutant("claims are made at 50 %", "contest/rank.py", "LEVEL = 0.05", "LEVEL = 0.5", (RANK, LADDER)),
    Mutant(
        "a level is compared with the one below, not with the best below",
        "contest/ladder.py",
        "best_on_validation(names[:place], teams, metric)",
        "names[place - 1]",
        (LADDER,),
    ),
    Mutant(
        "a dip of a learning curve is taken for the truth",
        "contest/curve.py",
        "IsotonicRegression().fit_transform(logs, [points[size] for size in sizes])",
        "np.array([points[size] for size in sizes])",
        (CURVE,),
    ),
    Mutant(
        "learning curves are interpolated in rows, not in their logarithm",
        "contest/curve.py",
        "logs = np.log(sizes)",
        "logs = np.array(sizes, dtype=float)",
        (CURVE,),
    ),
    Mutant(
        "int8 needs one figure of two",
        "contest/int8.py",
        ">= AGREEMENT and",
        ">= AGREEMENT or",
        ("contest/test_int8.py",),
    ),
    Mutant(
        "int8 is judged on test rows",
        "api.py",
        "splits.validation, terms.metric)",
        "splits.test, terms.metric)",
        ("test_api.py",),
    ),
    Mutant(
        "a deterministic contender runs once on every subset",
        "contest/plan.py",
        "return size is None and self.contestant.plugin.deterministic",
        "return self.contestant.plugin.deterministic",
        ("contest/test_plan.py",),
    ),
    Mutant(
        "a record is found again after other minutes",
        "contest/trials.py",
        '        "minutes": terms.minutes,\n',
        "",
        (TRIALS,),
    ),
    Mutant(
        "unlabelled texts go to contenders that do not ask for them",
        "contest/trials.py",
        "return terms.unlabelled if _reads_unlabelled(trial) else ()",
        "return terms.unlabelled",
        (TRIALS,),
    ),
    # --- metrics ---
    Mutant("no artificial rows in pairs", "metrics/stats.py", "_ARTIFICIAL = 2.0", "_ARTIFICIAL = 0.0", (STATS,)),
    Mutant(
        "scores have no artificial rows",
        "metrics/stats.py",
        "outcomes.with_artificial(seeds, _ARTIFICIAL).resample(",
        "outcomes.resample(",
        (STATS,),
    ),
    Mutant(
        "Holm's correction corrects nothing",
        "metrics/stats.py",
        "(len(p_values) - rank) * p_values[index]",
        "p_values[index]",
        (STATS,),
    ),
    Mutant(
        "simultaneous p-values are not raised",
        "metrics/stats.py",
        "_CAUTION = 1.5",
        "_CAUTION = 1.0",
        (STATS,),
    ),
    Mutant(
        "one lucky seed wins",
        "metrics/stats.py",
        "training_variance[uncertain] = np.maximum(moved, 0.0) / (own + 1)",
        "training_variance[uncertain] = 0.0",
        (STATS,),
    ),
    Mutant(
        "p-values of those that were dropped later may be smaller",
        "metrics/stats.py",
        "running = max(running, p_value)",
        "running = p_value",
        (STATS,),
    ),
    Mutant(
        "resamples have half the rows",
        "metrics/_rows.py",
        "multinomial(self.size,",
        "multinomial(self.size // 2,",
        (STATS,),
    ),
    Mutant("F1 is half of itself", "metrics/labels.py", "ratio(2 * hits,", "ratio(hits,", (LABELS,)),
    Mutant(
        "balanced accuracy counts classes that are never true",
        "metrics/labels.py",
        "ratio(ratio(hits, actual).sum(-1), (actual > 0).sum(-1))",
        "ratio(ratio(hits, actual).sum(-1), (actual >= 0).sum(-1))",
        (LABELS,),
    ),
    Mutant("MCC forgets chance", "metrics/labels.py", "- (predicted * actual).sum(-1)\n", "\n", (LABELS,)),
    Mutant("calibration has ten bins", "metrics/calibration.py", "BINS = 15", "BINS = 10", (CALIBRATION,)),
    Mutant(
        "thresholds are used without evidence",
        "contest/thresholds.py",
        "if not thresholds.better(tallies[0], tallies[1], score, groups):",
        "if not tallies:",
        ("contest/test_thresholds.py",),
    ),
    Mutant(
        "costs of true and predicted labels are exchanged",
        "tasks/classification.py",
        "exact @ self.costs.matrix(self.classes)",
        "exact @ self.costs.matrix(self.classes).T",
        ("tasks/test_costs.py",),
    ),
    Mutant(
        "a class that was never seen costs nothing",
        "metrics/calibration.py",
        ".sum(axis=1) + unseen)",
        ".sum(axis=1) + 0 * unseen)",
        (CALIBRATION,),
    ),
    # --- the division of rows, and texts without labels ---
    Mutant(
        "near copies cross from training to test",
        "data/split.py",
        "near = texts.near_groups(joined_texts(task, rows.inputs))",
        "near = np.arange(len(rows))",
        (SPLIT,),
    ),
    Mutant("three rows in ten are test rows", "data/split.py", "TEST_SHARE = 0.2", "TEST_SHARE = 0.3", (SPLIT,)),
    Mutant("all seeds divide alike", "data/split.py", 'generator(seed, "split")', 'generator(0, "split")', (SPLIT,)),
    Mutant(
        "all seeds have one subset", "data/split.py", 'generator(seed, "nested")', 'generator(0, "nested")', (SPLIT,)
    ),
    Mutant(
        "copies of test rows in validation are no leaks",
        "data/split.py",
        "for part in (train, validation) for text",
        "for part in (train,) for text",
        (SPLIT,),
    ),
    Mutant(
        "subsets may lack a class",
        "data/split.py",
        "        place[own[0]] = number - len(counts)",
        "        place[own[0]] += 0 * number",
        (SPLIT,),
    ),
    Mutant(
        "unlabelled texts may hold test rows",
        "data/corpus.py",
        "if normalise(document) not in hidden:",
        "if hidden is not None:",
        ("data/test_corpus.py", "test_api.py"),
    ),
    Mutant(
        "classes are in the order of the rows",
        "tasks/classification.py",
        "tuple(sorted(set(train.targets)))",
        "tuple(dict.fromkeys(train.targets))",
        ("tasks/test_classification.py",),
    ),
)

# Mutants that no test notices, by name, and why that is so.
SURVIVORS: dict[str, str] = {
    "the last bit of a mean decides who leads": "statistics.fmean adds exactly, so equal scores have equal means in "
    "any order; rounding only guards metrics whose own sums depend on the order of the rows.",
}
