"""What ensembles and students were worth, in words: each beside its members or teacher, on the same test rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from headstart.core.results import Receipt, Standing
from headstart.report._format import percent, points, savings

LEVEL = 0.05


def worth_it(receipt: Receipt) -> bool:
    """Say whether there is evidence that the contender is better than the other."""
    return receipt.difference.value > 0 and receipt.p_value <= LEVEL


def sentences(receipts: Sequence[Receipt], standings: Mapping[str, Standing]) -> list[str]:
    """Say what one contender gained and what it costs; `receipts` are its own, at least one."""
    name = receipts[0].contender
    roles = {receipt.role: receipt for receipt in receipts}
    told = []
    if member := roles.get("member"):
        cost = savings(standings[name].cost, standings[member.other].cost)
        if worth_it(member):
            told.append(f"{name} is {_gap(member)} better than its best member {member.other}; for that it {cost}.")
        else:
            told.append(
                f"There is no evidence that {name} is better than its best member {member.other} "
                f"({_signed(member)}), and it {cost}."
            )
    if teacher := roles.get("teacher"):
        theirs = standings[teacher.other]
        kept = standings[name].score.value / max(theirs.score.value, 1e-9)
        told.append(
            f"{name} reaches {percent(kept)} of the score of its teacher {teacher.other}; compared with it, "
            f"it {savings(standings[name].cost, theirs.cost)}."
        )
    if alone := roles.get("alone"):
        own = f"the same student reaches {percent(standings[alone.other].score.value)} without one"
        worth = (
            f"was worth {_gap(alone)}" if worth_it(alone) else f"is not shown to be worth anything ({_signed(alone)})"
        )
        told.append(f"The teacher {worth}: {own}.")
    elif teacher:
        other = f"{name}{'-' if ':' in name else ':'}alone"
        told.append(f"What the teacher was worth is not known; let {other} take part, the same student without one.")
    return told


def _gap(receipt: Receipt) -> str:
    low, high = 100 * receipt.difference.low, 100 * receipt.difference.high
    return f"{points(receipt.difference.value)} (95 % interval {low:.1f} to {high:.1f})"


def _signed(receipt: Receipt) -> str:
    value, low, high = (100 * n for n in (receipt.difference.value, receipt.difference.low, receipt.difference.high))
    return f"a difference of {value:+.1f} points, 95 % interval {low:+.1f} to {high:+.1f}"
