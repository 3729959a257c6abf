"""Events: the words that name what happens, with its type, and who or what takes part in which role."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from headstart.core.attribution import Span
from headstart.core.contracts import Column, HeadPlan, Kind, Tokenizer, Value
from headstart.core.errors import DataError, shown
from headstart.core.records import Predictions, Rows
from headstart.core.sequences import Encoded, Ragged
from headstart.core.tabular import NO_COLUMNS, Tabular
from headstart.core.tally import Metric, Tally
from headstart.data.cells import list_cell, text_cell
from headstart.data.roles import TEXT
from headstart.metrics import events
from headstart.tasks._places import ENDS, STARTS, apart, first_of, part
from headstart.tasks._words import Part, best_parts, divided, tag_numbers
from headstart.text import sentences, tags
from headstart.text.removal import without

# Start and end of an argument, start and end of its event's trigger, and 'type:role'.
Argument = tuple[int, int, int, int, str]
Facts = tuple[Part | Argument, ...]  # triggers with their types, then arguments
Link = tuple[Span, Span, str]  # an argument, the trigger of its event, role

EVENTS = Column("events", frozenset({"eventmentions"}), target=True)
# Keys of an event and of an argument in JSON.
TYPES, TRIGGERS = ("type", "event_type", "label", "event"), ("trigger",)
ARGUMENTS, ROLES = ("arguments", "args"), ("role", "label", "type")
# What the types of tags begin with, since a type of events may have the name of a role.
TRIGGER, ROLE = "trigger:", "role:"


def _example(text: str, *found: tuple[str, str, Mapping[str, str]]) -> tuple[Value, Facts]:
    """Make an example of events, each with its type, its trigger and the arguments by their roles."""
    triggers, links = {}, []
    for kind, word, arguments in found:
        trigger = text.index(word), text.index(word) + len(word)
        triggers[trigger] = kind
        links += [((text.index(part), text.index(part) + len(part)), trigger, role) for role, part in arguments.items()]
    return text, _facts(triggers, links)


def _facts(triggers: Mapping[Span, str], links: Iterable[Link]) -> Facts:
    """Return the facts of a text in order."""
    arguments = {(*span, *trigger, f"{triggers[trigger]}:{role}") for span, trigger, role in links}
    return (*((*span, kind) for span, kind in sorted(triggers.items())), *sorted(arguments))


def _parts(facts: Facts) -> tuple[dict[Span, str], list[Link]]:
    """Return the type of each trigger, and the arguments: the inverse of :func:`_facts`."""
    triggers: dict[Span, str] = {}
    links: list[Link] = []
    for fact in facts:
        if len(fact) == 3:
            triggers[fact[:2]] = fact[2]
        else:
            links.append((fact[:2], fact[2:4], fact[4].removeprefix(f"{triggers[fact[2:4]]}:")))
    return triggers, links


@dataclass(frozen=True)
class Event:
    """Find the events of each text: their triggers with types, and their arguments with roles, as seen in training.

    A target is a sequence of facts: for each event its trigger, with start and end in the text and a type; and for each
    argument its start and end, those of the trigger, and 'type:role'. A word is in one trigger or argument at most, but
    an argument may belong to several events.

    A model predicts for each word whether a trigger or an argument begins or continues there. An argument belongs to
    the nearest trigger whose type has its role in the training rows, in its sentence before those in others.

    classes: the types of events, sorted; empty until :meth:`fitted` has seen the training rows.
    roles: pairs of a type and a role that it has, sorted; empty until then.
    input_columns: column with the texts of the training rows, as in 'text=article'; empty if it is not known.
    """

    classes: tuple[str, ...] = ()
    roles: tuple[tuple[str, str], ...] = ()
    input_columns: tuple[str, ...] = ()

    SAMPLE: ClassVar[tuple[tuple[Value, Facts], ...]] = (
        _example("Thieves stole cards from a shop.", ("Theft", "stole", {"who": "Thieves", "what": "cards"})),
        _example("A gang stole a van in Rome.", ("Theft", "stole", {"who": "A gang", "what": "a van"})),
        _example("The firm fixed the bug on Monday.", ("Repair", "fixed", {"who": "The firm", "what": "the bug"})),
        _example(
            "A gang stole data. The bank fixed the leak.",
            ("Theft", "stole", {"who": "A gang", "what": "data"}),
            ("Repair", "fixed", {"who": "The bank", "what": "the leak"}),
        ),
        _example("Nothing happened here."),
        _example("The van was stolen.", ("Theft", "stolen", {"what": "The van"})),
    )
    kind: ClassVar[Kind] = "facts"
    generates: ClassVar[bool] = False
    settles: ClassVar[bool] = False
    columns: ClassVar[tuple[Column, ...]] = (TEXT, EVENTS)
    tabular: ClassVar[Tabular] = NO_COLUMNS
    metrics: ClassVar[tuple[Metric, ...]] = events.METRICS

    def read(self, cells: Mapping[str, Value]) -> tuple[Value, Value]:
        """Return the text and the facts of a row, see the class.

        Raises:
            DataError: no text, or a list of words; or an event without trigger and type, an argument without role or
                trigger, places outside the text, or triggers and arguments that overlap.
        """
        if isinstance(cells["text"], list | tuple):
            raise DataError("has a list of words where a text is expected: places are counted in characters")
        text = text_cell(cells["text"])
        return text, _read(text, cells["events"]) if "events" in cells else None

    def fitted(self, train: Rows) -> Event:
        """Return the task with its types and roles set from the training rows only.

        Others in validation or test are never predicted and count as missed.
        """
        kinds: set[str] = set()
        roles: set[tuple[str, str]] = set()
        for facts in train.targets:
            triggers, links = _parts(facts)
            kinds.update(triggers.values())
            roles.update((triggers[trigger], role) for _, trigger, role in links)
        return replace(self, classes=tuple(sorted(kinds)), roles=tuple(sorted(roles)))

    @property
    def tag_names(self) -> tuple[str, ...]:
        """The tags of words: O, and two for each type of events and for each role."""
        roles = sorted({role for _, role in self.roles})
        return tags.bio([*(TRIGGER + kind for kind in self.classes), *(ROLE + role for role in roles)])

    def texts(self, value: Value) -> tuple[str, ...]:
        """Return the text, into which the facts point."""
        return (value,)

    def without(self, value: Value, removed: Sequence[Sequence[Span]]) -> Value:
        """Return a text without some words."""
        return without(value, removed[0])

    def stratum(self, target: Value) -> str:
        """Return whether there are events: splits preserve the share of texts without any."""
        return "events" if target else "none"

    def head(self) -> HeadPlan:
        """Return the plan of a head with one logit per tag and token."""
        return HeadPlan(self.tag_names, "ForTokenClassification")

    def encode(self, inputs: Sequence[Value], tokenizer: Tokenizer) -> Encoded:
        """Turn words into token ids, in overlapping windows where there are too many."""
        return tokenizer.encode_words([divided(value).words for value in inputs])

    def targets(self, rows: Rows, encoded: Encoded) -> Ragged:
        """Return the number of each word's tag, int64 ``(tokens,)``, at its first token; -100 at all others.

        Of several roles of one argument the first one in alphabetical order is learnt. Types and roles not seen in
        training have no tag and are -100 too.
        """
        return tag_numbers(rows.inputs, [_tagged(*_parts(facts)) for facts in rows.targets], self.tag_names, encoded)

    def decode(self, outputs: Ragged, encoded: Encoded, inputs: Sequence[Value]) -> Predictions:
        """Turn logits ``(tokens, tags)`` into the most likely triggers and arguments that the tags' scheme allows.

        An argument without any trigger that it can belong to is left out. The confidence of a row is the probability of
        its tags among all that the scheme allows; its parts are the probabilities of each word's tags.
        """
        best = best_parts(outputs, encoded, inputs, self.tag_names)
        facts = tuple(self._linked(value, parts) for value, parts in zip(inputs, best.parts, strict=True))
        return Predictions(facts, parts=best.marginals, confidence=best.confidence)

    def _linked(self, text: str, parts: Sequence[Part]) -> Facts:
        """Return the facts of a text, with each argument linked to a trigger.

        Args:
            text: the text.
            parts: its triggers and arguments, with the types of their tags.
        """
        ends = sentences.ends(text)
        triggers = {(start, end): name.removeprefix(TRIGGER) for start, end, name in parts if name.startswith(TRIGGER)}
        # The triggers that can have a role, each with the number of its sentence.
        by_role: dict[str, list[tuple[Span, int]]] = {}
        for kind, role in self.roles:
            of_kind = [(span, bisect_right(ends, span[0])) for span, name in triggers.items() if name == kind]
            by_role.setdefault(ROLE + role, []).extend(of_kind)
        links: list[Link] = []
        for start, end, name in parts:
            sentence = bisect_right(ends, start)
            possible = [
                (number != sentence, max(start - span[1], span[0] - end), span)
                for span, number in by_role.get(name, ())
            ]
            if possible:
                links.append(((start, end), min(possible)[2], name.removeprefix(ROLE)))
        return _facts(triggers, links)

    def settled(self, predictions: Predictions, targets: Sequence[Value]) -> Event:
        """Return the task: there is nothing to choose."""
        return self

    def tally(self, predictions: Predictions, targets: Sequence[Value]) -> Tally:
        """Count what each row adds to the hits, predictions and targets of each metric."""
        return events.tally(targets, predictions.values)


def _tagged(triggers: Mapping[Span, str], links: Iterable[Link]) -> list[Part]:
    """Return triggers and arguments with the types of their tags, one for each argument."""
    roles = {span: role for span, _, role in sorted(links, key=lambda link: link[2], reverse=True)}
    return [
        *((*span, TRIGGER + kind) for span, kind in triggers.items()),
        *((*span, ROLE + role) for span, role in roles.items()),
    ]


def _read(text: str, cell: Value) -> Facts:
    """Return the facts of a row, given as events with their arguments or as facts."""
    read: list[tuple[Part, list[Part]]] = []  # triggers with their arguments
    facts: list[Sequence[Value]] = []  # arguments that name their trigger
    for item in list_cell(cell, "events"):
        match item:
            case Mapping():
                read.append(_event(text, item))
            case [_, _, _]:
                read.append((part(text, item, "a trigger", "type"), []))
            case [_, _, _, _, _]:
                facts.append(item)
            case _:
                raise DataError(
                    "has an event that is neither an object nor a fact: [start, end, type], or for an argument "
                    "[start, end, start of the trigger, its end, 'type:role']"
                )
    triggers = {(start, end): kind for (start, end, kind), _ in read}
    links = [((start, end), trigger[:2], role) for trigger, arguments in read for start, end, role in arguments]
    links += [_link(text, fact, triggers) for fact in facts]
    apart([*((*trigger[:2], TRIGGER + trigger[2]) for trigger, _ in read), *_tagged({}, links)], "mentions")
    return _facts(triggers, links)


def _event(text: str, item: Mapping[str, Value]) -> tuple[Part, list[Part]]:
    """Return the trigger of an event with its type, and the arguments with their roles."""
    place = first_of(item, TRIGGERS)
    place = place if isinstance(place, Mapping) else item
    trigger = [first_of(place, STARTS), first_of(place, ENDS), first_of(item, TYPES)]
    arguments = first_of(item, ARGUMENTS)
    listed = [] if arguments is None else list_cell(arguments, "arguments")
    return part(text, trigger, "a trigger", "type"), [_argument(text, argument) for argument in listed]


def _argument(text: str, item: Value) -> Part:
    """Return an argument with its role, given as an object or as start, end and role."""
    if isinstance(item, Mapping):
        item = [first_of(item, keys) for keys in (STARTS, ENDS, ROLES)]
    return part(text, item, "an argument", "role")


def _link(text: str, fact: Sequence[Value], triggers: Mapping[Span, str]) -> Link:
    """Return an argument that is given as a fact."""
    start, end, name = part(text, [*fact[:2], fact[4]], "an argument", "role")
    first, last, _ = part(text, fact[2:], "a trigger", "type")
    kind = triggers.get((first, last))
    role = name.removeprefix(f"{kind}:").strip()
    if kind is None or not role or not name.startswith(f"{kind}:"):
        raise DataError(
            f"has an argument {shown(name)} from {start} to {end} without its trigger: no event of this type is listed "
            f"from {first} to {last}"
        )
    return (start, end), (first, last), role


PLUGIN = Event
