"""Dates and times of rows, which order them from the past to the future."""

from __future__ import annotations

import datetime
import math

from headstart.core.errors import shown


def time_of(value: object) -> tuple[float, str]:
    """Return a point in time as a number that grows with time, and why there is none, '' if there is one.

    Dates, times, numbers (years, seconds) and ISO 8601 text are read; times without a time zone are taken as UTC. Other
    ways of writing a date are refused: 03/04/2021 may be in March or in April.

    >>> time_of("2021-03-04")[0] < time_of("2021-03-04T10:00:00+01:00")[0]
    True
    >>> time_of("03/04/2021")
    (0.0, "has the time '03/04/2021', which is no number and no ISO date such as 2021-03-31")
    """
    if isinstance(value, datetime.datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=datetime.UTC)
        return aware.timestamp(), ""
    if isinstance(value, datetime.date):
        return time_of(datetime.datetime.combine(value, datetime.time()))
    if value is None or (isinstance(value, float) and math.isnan(value)) or not str(value).strip():
        return 0.0, "has no time"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value), ""
    text = str(value).strip()
    try:
        number = float(text)
    except ValueError:
        pass
    else:
        if math.isfinite(number):
            return number, ""
    try:
        return time_of(datetime.datetime.fromisoformat(text))
    except ValueError:
        return 0.0, f"has the time {shown(text)}, which is no number and no ISO date such as 2021-03-31"
