"""Faults put into contenders, trainings and strategies by hand, with the tests that should notice each."""

from __future__ import annotations

from benchmarks._mutants import Mutant

PROTOCOL = "contracts/test_protocol.py"
NEURAL, LINEAR, ENSEMBLE = "contenders/test_neural.py", "contenders/test_linear.py", "contenders/test_ensemble.py"
PRETRAINING, DISTILLED = "pretraining/test_job.py", "contenders/test_distilled.py"
COLLAPSE = "training/test_collapse.py"
LOOP, BATCHES, SCHEDULE = "training/test_loop.py", "training/test_batches.py", "training/test_schedule.py"
OPTIMIZER, CONVEX = "training/test_optimizer.py", "training/test_convex.py"
STRATEGIES = "strategies/test_strategies.py"

MUTANTS = (
    Mutant(
        "linear chooses on its own training rows",
        "contenders/linear.py",
        "        until = time.monotonic() +",
        "        validation = train\n        until = time.monotonic() +",
        (LINEAR, PROTOCOL),
    ),
    Mutant(
        "linear learns its n-grams from validation rows too",
        "contenders/linear.py",
        "reader, features = Reader.fitted(joined_texts(task, train.inputs), self.features)",
        "reader, _ = Reader.fitted(joined_texts(task, (*train.inputs, *validation.inputs)), self.features)\n"
        "        features = reader.read(joined_texts(task, train.inputs))",
        (LINEAR, PROTOCOL),
    ),
    Mutant(
        "linear takes the least likely strength",
        "contenders/linear.py",
        "likelihood > best[model.presence][1]",
        "likelihood < best[model.presence][1]",
        (LINEAR,),
    ),
    Mutant(
        "linear takes the worse kind",
        "contenders/linear.py",
        "return max(best.values(),",
        "return min(best.values(),",
        (LINEAR,),
    ),
    Mutant(
        "linear has ten times its minutes",
        "contenders/linear.py",
        "+ 60 * run.minutes",
        "+ 600 * run.minutes",
        (LINEAR,),
    ),
    Mutant(
        "early stopping looks at training rows",
        "contenders/_neural.py",
        "validation = validation if len(validation) else train_rows",
        "validation = train_rows",
        (PROTOCOL,),
    ),
    Mutant(
        "checkpoints are chosen by accuracy in a fit",
        "contenders/_neural.py",
        "validation)[run.metric]",
        'validation)["accuracy"]',
        (NEURAL,),
    ),
    Mutant(
        "class weights are ignored", "contenders/_neural.py", "batch.boundaries, weights), count", "batch.boundaries), count", (NEURAL,)
    ),
    Mutant(
        "class weights are ignored where the head is solved",
        "contenders/_neural.py",
        'balanced=class_weights == "balanced")',
        "balanced=False)",
        (NEURAL,),
    ),
    Mutant(
        "no words are hidden",
        "contenders/_neural.py",
        "if word_dropout and hidden:",
        "if word_dropout and not hidden:",
        (NEURAL,),
    ),
    Mutant(
        "words of validation texts decay",
        "contenders/_neural.py",
        "narrowed(words, learnt_ids, validation_encoded.tokens)",
        "narrowed(words, np.concatenate([learnt_ids, validation_encoded.tokens]))",
        (PROTOCOL,),
    ),
    Mutant(
        "the worst solution of a head is taken",
        "contenders/_neural.py",
        "if best is None or (score, -loss) > best:",
        "if best is None or (score, -loss) < best:",
        (NEURAL,),
    ),
    Mutant("warm-up is ignored", "contenders/finetuned.py", "            warmup=self.warmup,\n", "", (NEURAL,)),
    Mutant("decay is ignored", "contenders/finetuned.py", "            decay=self.decay,\n", "", (NEURAL,)),
    Mutant(
        "parts of a step are ignored",
        "contenders/finetuned.py",
        "            accumulate=self.accumulate,\n",
        "",
        (NEURAL,),
    ),
    Mutant(
        "recompute is ignored",
        "contenders/finetuned.py",
        "        checkpoint.model.encoder.recompute = self.recompute\n",
        "",
        (NEURAL,),
    ),
    Mutant(
        "fine-tuning takes ten times its epochs",
        "contenders/finetuned.py",
        "epochs=strategy.epochs,",
        "epochs=10 * strategy.epochs,",
        (NEURAL, PROTOCOL),
    ),
    Mutant(
        "scratch learns its vocabulary from validation rows too",
        "contenders/scratch.py",
        "all_texts(task, train.inputs)",
        "all_texts(task, (*train.inputs, *validation.inputs))",
        (PROTOCOL,),
    ),
    Mutant(
        "pretraining reads validation rows",
        "contenders/selfpretrained.py",
        "(*run.unlabelled, *all_texts(task, train.inputs))",
        "(*run.unlabelled, *all_texts(task, (*train.inputs, *validation.inputs)))",
        (PRETRAINING,),
    ),
    Mutant(
        "fine-tuning after pretraining has all minutes to itself",
        "contenders/selfpretrained.py",
        "run.minutes * (1 - PRETRAINING_SHARE)",
        "run.minutes",
        (PRETRAINING, PROTOCOL),
    ),
    Mutant(
        "pretraining learns from the documents set apart",
        "pretraining/job.py",
        "learnt = np.sort(order[apart:])",
        "learnt = np.sort(order)",
        (PRETRAINING,),
    ),
    Mutant(
        "words are counted in the documents set apart",
        "pretraining/job.py",
        "_words(corpus, tokenizer, shard, learnt,",
        "_words(corpus, tokenizer, shard, np.sort(order),",
        (PRETRAINING,),
    ),
    Mutant(
        "pretraining plans for ten times its minutes",
        "pretraining/job.py",
        "int(PLANNED * 60 *",
        "int(PLANNED * 600 *",
        (PRETRAINING,),
    ),
    Mutant(
        "weights of an ensemble are learnt on training rows",
        "contenders/ensemble.py",
        "known = validation.take(",
        "validation = train\n        known = validation.take(",
        (ENSEMBLE,),
    ),
    Mutant(
        "stacking takes the worst strength",
        "contenders/ensemble.py",
        "max(STRENGTHS, key=held_out)",
        "min(STRENGTHS, key=held_out)",
        (ENSEMBLE,),
    ),
    Mutant(
        "a teacher labels validation texts for its student",
        "contenders/distilled.py",
        "texts = [*train.inputs, *(",
        "texts = [*train.inputs, *validation.inputs, *(",
        (PROTOCOL,),
    ),
    Mutant(
        "a student does not subtract what matching took from its minutes",
        "contenders/distilled.py",
        "max(0.0, minutes - spent / 60)",
        "minutes",
        (DISTILLED, PROTOCOL),
    ),
    Mutant(
        "a student ignores the temperature",
        "distillation/phases.py",
        "soft[order], contender.temperature)",
        "soft[order], 1.0)",
        (DISTILLED,),
    ),
    Mutant(
        "a student learns nothing of its teacher's answers",
        "distillation/phases.py",
        "share = 1.0 if soft is None else contender.label_weight",
        "share = 1.0",
        (DISTILLED,),
    ),
    Mutant(
        "matching is judged on training texts",
        "distillation/phases.py",
        "yield rows + self.texts",
        "yield rows",
        (DISTILLED, PROTOCOL),
    ),
    Mutant(
        "a student's checkpoint is chosen by accuracy",
        "distillation/phases.py",
        "lesson.validation)[run.metric]",
        'lesson.validation)["accuracy"]',
        (DISTILLED, PROTOCOL),
    ),
    Mutant(
        "a second training learns as fast as the first",
        "training/collapse.py",
        "FACTOR = 1 / 3",
        "FACTOR = 1.0",
        (COLLAPSE,),
    ),
    Mutant(
        "majority answers the rarest class",
        "contenders/majority.py",
        "int(np.argmax(self.shares))",
        "int(np.argmin(self.shares))",
        ("contenders/test_majority.py",),
    ),
    # --- training ---
    Mutant(
        "the best checkpoint is that of the least loss",
        "training/stopping.py",
        "return (score, -loss) > (self.score, -self.loss)",
        "return (-loss, score) > (-self.loss, self.score)",
        ("training/test_stopping.py",),
    ),
    Mutant("no training stops early", "training/loop.py", " or best.since >= settings.patience", "", (LOOP,)),
    Mutant(
        "the last weights are kept, not the best",
        "training/loop.py",
        "            weights[name].copy_(weight)\n",
        "            pass\n",
        (LOOP,),
    ),
    Mutant(
        "a loop has ten times its minutes",
        "training/loop.py",
        "seconds > 60 * run.minutes",
        "seconds > 600 * run.minutes",
        (LOOP,),
    ),
    Mutant("the learning rate never changes", "training/loop.py", 'part["peak"] * rate', 'part["peak"]', (LOOP,)),
    Mutant(
        "all seeds read rows in one order",
        "training/loop.py",
        "settings.batch_rows, run.seed, state.step)",
        "settings.batch_rows, 0, state.step)",
        (LOOP,),
    ),
    Mutant(
        "all seeds draw alike in a step",
        "training/loop.py",
        'seed.derive(run.seed, "step", state.step)',
        'seed.derive(0, "step", state.step)',
        (LOOP,),
    ),
    Mutant(
        "the shorter last batch is dropped",
        "training/batches.py",
        "per_epoch = -(-rows // batch_rows)",
        "per_epoch = max(1, rows // batch_rows)",
        (BATCHES,),
    ),
    Mutant(
        "every epoch has one order",
        "training/batches.py",
        'seed.generator(run_seed, "order", epoch)',
        'seed.generator(run_seed, "order")',
        (BATCHES,),
    ),
    Mutant("linear decay does not decay", "training/schedule.py", "return 1.0 - done", "return 1.0", (SCHEDULE,)),
    Mutant("no schedule warms up", "training/schedule.py", "rising = int(total * warmup)", "rising = 0", (SCHEDULE,)),
    Mutant("biases decay", "training/optimizer.py", "(others, 0.0)", "(others, weight_decay)", (OPTIMIZER,)),
    Mutant(
        "gradients are not clipped",
        "training/optimizer.py",
        "norm.clamp(min=clip) / clip",
        "torch.ones_like(norm)",
        (OPTIMIZER,),
    ),
    Mutant(
        "parts of a step count whole",
        "training/gradients.py",
        "value = mean(loss(part)) * (len(part) / len(rows))",
        "value = mean(loss(part))",
        (LOOP,),
    ),
    Mutant(
        "a solved head ignores class weights",
        "training/convex.py",
        "class_weight=weights",
        "class_weight=None",
        (CONVEX,),
    ),
    # --- strategies ---
    Mutant(
        "full tuning learns at one rate everywhere",
        "strategies/full.py",
        "self.learning_rate, self.layer_decay)",
        "self.learning_rate, 1.0)",
        (STRATEGIES,),
    ),
    Mutant(
        "partial tunes one block more",
        "strategies/partial.py",
        "min(self.blocks, len(",
        "min(self.blocks + 1, len(",
        (STRATEGIES, NEURAL),
    ),
    Mutant(
        "gradual opens everything at once", "strategies/gradual.py", "depth * self.opening * total", "0", (STRATEGIES,)
    ),
    Mutant("bitfit tunes matrices", "strategies/bitfit.py", 'name.endswith(".bias")', "True", (STRATEGIES,)),
    Mutant(
        "lora tunes its targets' matrices themselves",
        "strategies/lora.py",
        '".updates." in name',
        '".updates." in name or "up.weight" in name',
        (STRATEGIES,),
    ),
)
