"""Faults put into tasks, heads, windows, tags, their metrics and the scores by subset, with the tests of each."""

from __future__ import annotations

from benchmarks._mutants import Mutant

HEADS, TASKS, QA, NER = "contracts/test_heads.py", "contracts/test_tasks.py", "tasks/test_qa.py", "tasks/test_ner.py"
EVENT, PAIRS, TAGS, LONG = "tasks/test_event.py", "tasks/test_pairs.py", "text/test_tags.py", "text/test_long.py"
THRESHOLDS, MULTILABEL = "metrics/test_multilabel.py", "tasks/test_multilabel.py"
CRF, LINEAR, ENSEMBLE = "contenders/test_crf.py", "contenders/test_linear.py", "contenders/test_ensemble.py"
SUMS, SUBSETS, AGREEMENT = "metrics/test_sums.py", "contest/test_subsets.py", "../src/headstart/metrics/agreement.py"

MUTANTS = (
    # --- losses of heads ---
    Mutant(
        "the loss of several labels is a sum over them",
        "nn/heads.py",
        'F.binary_cross_entropy_with_logits(logits.float(), targets, reduction="sum") / logits.shape[1]',
        'F.binary_cross_entropy_with_logits(logits.float(), targets, reduction="sum")',
        (HEADS,),
    ),
    Mutant(
        "the loss of spans is the sum over both ends",
        "nn/heads.py",
        "(sums.log() + largest - right).sum() / 2",
        "(sums.log() + largest - right).sum()",
        (HEADS,),
    ),
    Mutant(
        "the mean loss counts tokens without a target",
        "nn/heads.py",
        "return int((targets != IGNORED).sum()) if targets.ndim == 1 else len(targets)",
        "return len(targets)",
        (HEADS, "tasks/test_ner_transformers.py"),
    ),
    Mutant(
        "tokens without a target are learnt as O",
        "nn/heads.py",
        '"""Sum the cross-entropies of tokens with a target, see `Head.loss`."""\n'
        "        return F.cross_entropy(logits.float(), targets,",
        '"""Sum the cross-entropies of tokens with a target, see `Head.loss`."""\n'
        "        return F.cross_entropy(logits.float(), targets.clamp(min=0),",
        (HEADS, "tasks/test_ner_transformers.py"),
    ),
    # --- rows, windows and words ---
    Mutant(
        "rows after others have the windows of those",
        "core/sequences.py",
        "self.rows[first : last + 1] - self.rows[first]",
        "self.rows[first : last + 1]",
        ("core/test_sequences.py",),
    ),
    Mutant(
        "a row has one window of the many",
        "core/sequences.py",
        "return rows if self.rows is None else spans(self.rows, rows)[0]",
        "return rows if self.rows is None else self.rows[rows]",
        ("core/test_sequences.py", QA),
    ),
    Mutant(
        "windows of a context do not overlap",
        "text/windows.py",
        "_starts(len(passage), left, min(stride, left // 2))",
        "_starts(len(passage), left, 0)",
        (QA,),
    ),
    Mutant(
        "the end of a context is in no window",
        "text/windows.py",
        "range(0, max(1, count - stride), room - stride)",
        "range(0, max(1, count - room), room - stride)",
        (QA,),
    ),
    Mutant(
        "of two texts the shorter one is truncated first",
        "text/_pairs.py",
        "return (short, long) if first <= second else (long, short)",
        "return (long, short) if first <= second else (short, long)",
        ("text/test_pairs.py",),
    ),
    Mutant(
        "the last window of a text has only its last few tokens",
        "text/_long.py",
        "[used * number // count for number in range(count + 1)]",
        "[min(used, room * number) for number in range(count + 1)]",
        (LONG,),
    ),
    Mutant(
        "what is cut off leaves out what was not tokenised",
        "text/_long.py",
        "left_out += count * factor - sum(",
        "left_out += count - sum(",
        (LONG,),
    ),
    Mutant(
        "a word is read where it has the least context",
        "tasks/_words.py",
        "np.argsort(np.minimum(before, after),",
        "np.argsort(-np.minimum(before, after),",
        (NER,),
    ),
    Mutant(
        "the word behind an entity is in it",
        "tasks/_words.py",
        "if first < end and start < last]",
        "if first <= end and start < last]",
        (NER, TASKS, EVENT),
    ),
    Mutant(
        "types that training never shows are learnt as O",
        "tasks/_words.py",
        'numbers.get(f"{letter}-{name}", IGNORED)',
        'numbers.get(f"{letter}-{name}", 0)',
        (NER,),
    ),
    Mutant(
        "an I may follow any tag",
        "text/tags.py",
        "np.where(impossible, -np.inf, 0.0)",
        "np.where(impossible, 0.0, 0.0)",
        (TAGS, NER),
    ),
    Mutant(
        "an I may begin a text",
        "text/tags.py",
        "np.where(inside, -np.inf, 0.0)",
        "np.where(inside, 0.0, 0.0)",
        (TAGS, NER),
    ),
    Mutant("a B continues the entity before it", "text/tags.py", 'letter in "OBSU"', 'letter in "OSU"', (TAGS, NER)),
    # --- tasks ---
    Mutant(
        "numbers are predicted in units of their spread",
        "tasks/regression.py",
        "* self.scale + self.mean)",
        "+ self.mean)",
        ("tasks/test_regression.py", TASKS),
    ),
    Mutant(
        "thresholds of labels are chosen and ignored",
        "tasks/multilabel.py",
        "self.thresholds or [USUAL_THRESHOLD]",
        "[USUAL_THRESHOLD]",
        (MULTILABEL,),
    ),
    Mutant(
        "the token behind an answer is in it",
        "tasks/qa.py",
        "(ends[:, 0] < start + len(text))",
        "(ends[:, 0] <= start + len(text))",
        (QA,),
    ),
    Mutant(
        "an answer is learnt in windows that have only its beginning",
        "tasks/qa.py",
        "if low <= start and start + len(text) <= high and len(inside):",
        "if low <= start and len(inside):",
        (QA,),
    ),
    Mutant(
        "answers of different windows are compared without that of no answer",
        "tasks/qa.py",
        "score - null)",
        "score)",
        (QA,),
    ),
    Mutant(
        "the threshold for no answer is ignored",
        "tasks/qa.py",
        "odds > (self.threshold or 0.0)",
        "odds > 0.0",
        (QA,),
    ),
    Mutant(
        "an argument belongs to the first trigger that can have it",
        "tasks/event.py",
        "min(possible)[2]",
        "possible[0][2]",
        (EVENT,),
    ),
    # --- metrics ---
    Mutant(
        "relations count the label of no relation",
        "metrics/relations.py",
        'return "" if label.casefold() in NONE else label.partition("(")[0]',
        'return label.partition("(")[0]',
        (PAIRS,),
    ),
    Mutant(
        "each direction is a relation of its own",
        "metrics/relations.py",
        'else label.partition("(")[0]',
        "else label",
        (PAIRS,),
    ),
    Mutant(
        "labels with few rows have thresholds of their own",
        "metrics/multilabel.py",
        "truth.sum(axis=0) < FEW",
        "truth.sum(axis=0) < 0",
        (THRESHOLDS,),
    ),
    Mutant(
        "equal probabilities are cut apart",
        "metrics/multilabel.py",
        "falling[:-1] > falling[1:]",
        "falling[:-1] >= falling[1:]",
        (THRESHOLDS,),
    ),
    Mutant(
        "labels of equal probability rank for free",
        "metrics/multilabel.py",
        'above = rankdata(-order, "max", axis=1)',
        'above = rankdata(-order, "min", axis=1)',
        (THRESHOLDS,),
    ),
    Mutant(
        "a row with too many facts is exact",
        "metrics/sets.py",
        "if truth == answer]",
        "if truth <= answer]",
        (SUMS, THRESHOLDS, NER),
    ),
    Mutant(
        "the artificial wrong row of sets is right",
        "metrics/sets.py",
        "np.concatenate([0 * mean, mean, mean, [0.0, 1.0]])",
        "np.concatenate([mean, mean, mean, [1.0, 1.0]])",
        (SUMS, THRESHOLDS),
    ),
    Mutant("sets agree by their recall", "metrics/agreement.py", "/ len(one | other)", "/ len(one)", (AGREEMENT,)),
    Mutant("numbers agree by their unit", "metrics/agreement.py", "1 - gap / spread", "1 - gap", (AGREEMENT,)),
    # --- subsets of the test rows ---
    Mutant(
        "a subset has the rows of all others",
        "contest/subsets.py",
        "here = values == value",
        "here = values != value",
        (SUBSETS,),
    ),
    Mutant(
        "p-values of subsets are not corrected", "contest/subsets.py", "stats.holm(compared)", "compared", (SUBSETS,)
    ),
    Mutant(
        "intervals of subsets take rows of a group for independent",
        "contest/subsets.py",
        "some.seeds, self.metric, groups=stats.group_numbers(some.rows))",
        "some.seeds, self.metric)",
        (SUBSETS,),
    ),
    Mutant(
        "contrasts take rows of a group for independent",
        "metrics/contrast.py",
        "halves, groups=groups)",
        "halves)",
        (SUBSETS,),
    ),
    Mutant(
        "differences of subsets take rows of a group for independent",
        "contest/subsets.py",
        "here, groups=stats.group_numbers(self.rows))",
        "here)",
        (SUBSETS,),
    ),
    Mutant(
        "a subset is compared with all rows",
        "metrics/contrast.py",
        "(here, ~here)]",
        "(here, here | True)]",
        (SUBSETS,),
    ),
    # --- contenders ---
    Mutant(
        "thresholds of labels are chosen on training rows",
        "contenders/linear.py",
        "own, predictions = settled(task, decode, validation.targets)",
        "known = model.outputs(features[:, : model.weights.shape[0]])\n"
        "                own, _ = settled(task, lambda task: _decode(task, known, train.inputs), train.targets)\n"
        "                predictions = decode(own)",
        (LINEAR,),
    ),
    Mutant(
        "the classifier of each label learns another label",
        "contenders/linear.py",
        "fit(features, truth[:, column])",
        "fit(features, truth[:, column - 1])",
        (LINEAR,),
    ),
    Mutant(
        "a CRF is chosen on training rows",
        "contenders/_crf.py",
        "rows = validation if len(validation) else train",
        "rows = train",
        (CRF,),
    ),
    Mutant("the worse CRF is taken", "contenders/_crf.py", "score > best[0]", "score < best[0]", (CRF,)),
    Mutant(
        "a CRF predicts each tag without its neighbours",
        "contenders/_crf.py",
        "Ragged(scores, encoded.boundaries, self.moves)",
        "Ragged(scores, encoded.boundaries)",
        (CRF,),
    ),
    Mutant(
        "texts are read without the weights of n-grams",
        "contenders/_ngrams.py",
        "vectorizer.idf_ = idf",
        "vectorizer.idf_ = 0 * idf + 1",
        (LINEAR,),
    ),
    Mutant(
        "words do not say that they are in both texts",
        "contenders/_pair_words.py",
        "'both' if word in both else name",
        "name",
        ("../src/headstart/contenders/_pair_words.py", "contenders/test_pair_words.py"),
    ),
    Mutant(
        "the floor of texts is the worse of two",
        "contenders/_untrained.py",
        "max([*range(writing.ways), NOTHING], key=score)",
        "min([*range(writing.ways), NOTHING], key=score)",
        (QA,),
    ),
    Mutant(
        "members are picked for the highest error",
        "contenders/_combining.py",
        "sign * _score(",
        "_score(",
        (ENSEMBLE,),
    ),
    Mutant(
        "stacking may predict a class that validation lacks",
        "contenders/_combining.py",
        "coefficients[-1] = NEVER",
        "coefficients[-1] = 0.0",
        (ENSEMBLE,),
    ),
)
