"""What errors cost: a number for each pair of a true and a predicted label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headstart.core.errors import DataError, UsageError, shown

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Costs:
    """Costs of all pairs of labels; without any, all errors are alike.

    classes: the labels whose costs are known.
    values: of each true label, what each predicted one costs, one row after the other, 0 or more.
    """

    classes: tuple[str, ...] = ()
    values: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if len(self.values) != len(self.classes) ** 2:
            raise UsageError(f"{len(self.classes)} labels have as many costs squared, not {len(self.values)}.")

    def matrix(self, classes: Sequence[str]) -> np.ndarray:
        """Return what each predicted class (column) costs for each true one (row), float64 ``(classes, classes)``.

        Raises:
            DataError: a class has no costs.

        >>> Costs(("ham", "spam"), (0, 10, 1, 0)).matrix(("spam", "ham")).tolist()
        [[0.0, 1.0], [10.0, 0.0]]
        """
        import numpy as np

        places = {name: place for place, name in enumerate(self.classes)}
        for name in classes:
            if name not in places:
                raise DataError(f"the label {shown(name)} has no costs; add a row and a column for it to their file.")
        chosen = [places[name] for name in classes]
        square = np.array(self.values, dtype=np.float64).reshape(len(self.classes), -1)
        costs: np.ndarray = square[np.ix_(chosen, chosen)]
        return costs


NO_COSTS = Costs()
