"""Numbers as people read them: the same digits, units and separators on every page.

Groups of three digits are separated by commas, negative numbers have a minus sign (U+2212), which is as wide as a
digit, and what is absent or not finite is a dash.
"""

from __future__ import annotations

import math
from datetime import datetime
from zoneinfo import ZoneInfo

ABSENT = "–"
_MINUS = "−"
#: Kilo becomes mega where one decimal of kilo would show this.
_MEGA_FROM = 999.95
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86_400
_KB = 1000


def number(value: float | None, decimals: int = 1) -> str:
    """A plain number.

    >>> number(-1234.56), number(-0.04), number(None)
    ('−1,234.6', '0.0', '–')
    """
    if value is None or not math.isfinite(value):
        return ABSENT
    text = f"{abs(value):,.{decimals}f}"
    return _MINUS + text if value < 0 and text.strip("0.,") else text


def count(value: int | None) -> str:
    """How many.

    >>> count(35136)
    '35,136'
    """
    return number(value, 0)


def counted(value: int, one: str, many: str = "") -> str:
    """How many of what; `many` where the plural is more than an s.

    >>> counted(1, "POD"), counted(1200, "POD"), counted(2, "study", "studies")
    ('1 POD', '1,200 PODs', '2 studies')
    """
    return f"{count(value)} {one if value == 1 else many or one + 's'}"


def power_kw(value: float | None) -> str:
    """A power given in kW.

    >>> power_kw(850), power_kw(-1250), power_kw(999.96)
    ('850.0 kW', '−1.25 MW', '1.00 MW')
    """
    return _by_size(value, "kW", "MW")


def energy_kwh(value: float | None) -> str:
    """An energy given in kWh.

    >>> energy_kwh(0.25), energy_kwh(1234567)
    ('0.2 kWh', '1,234.57 MWh')
    """
    return _by_size(value, "kWh", "MWh")


def _by_size(value: float | None, kilo: str, mega: str) -> str:
    if value is not None and math.isfinite(value) and abs(value) >= _MEGA_FROM:
        return f"{number(value / 1000, 2)} {mega}"
    return _with_unit(number(value, 1), kilo)


def cents(value: float | None) -> str:
    """An amount of money where its column says EUR.

    >>> cents(1234.5)
    '1,234.50'
    """
    return number(value, 2)


def eur(value: float | None, decimals: int = 2) -> str:
    """An amount of money.

    >>> eur(1234.5), eur(-3)
    ('1,234.50 EUR', '−3.00 EUR')
    """
    return _with_unit(number(value, decimals), "EUR")


def eur_per_mwh(value: float | None) -> str:
    """A price given in EUR/MWh.

    >>> eur_per_mwh(56.3)
    '56.30 EUR/MWh'
    """
    return _with_unit(number(value, 2), "EUR/MWh")


def percent(value: float | None, decimals: int = 1) -> str:
    """A fraction as percent.

    >>> percent(0.1234), percent(0.00042, 2)
    ('12.3 %', '0.04 %')
    """
    return _with_unit(number(None if value is None else value * 100, decimals), "%")


def _with_unit(text: str, unit: str) -> str:
    return text if text == ABSENT else f"{text} {unit}"


def duration(seconds: float | None) -> str:
    """A span of time given in seconds.

    >>> duration(0.0123), duration(7.26), duration(185), duration(7620), duration(90000)
    ('12 ms', '7.3 s', '3 min 05 s', '2 h 07 min', '1 d 1 h')
    """
    if seconds is None or not math.isfinite(seconds):
        return ABSENT
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if round(seconds, 1) < _MINUTE_S:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _HOUR_S:
        return f"{whole // _MINUTE_S} min {whole % _MINUTE_S:02d} s"
    if whole < _DAY_S:
        return f"{whole // _HOUR_S} h {whole % _HOUR_S // _MINUTE_S:02d} min"
    return f"{whole // _DAY_S} d {whole % _DAY_S // _HOUR_S} h"


def moment(when: datetime | None, zone: str) -> str:
    """A moment in a time zone, with the name that the zone has then.

    >>> moment(datetime.fromisoformat("2018-07-17T12:15+00:00"), "Europe/Rome")
    '2018-07-17 14:15 CEST'
    """
    return ABSENT if when is None else f"{when.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M %Z}"


def day(when: datetime, zone: str) -> str:
    """The local day of a moment.

    >>> day(datetime.fromisoformat("2018-07-16T22:00+00:00"), "Europe/Rome")
    '2018-07-17'
    """
    return f"{when.astimezone(ZoneInfo(zone)):%Y-%m-%d}"


def size(count_bytes: int) -> str:
    """Size of a file given in bytes.

    >>> size(640), size(35_200), size(5_000_000), size(2 << 30)
    ('640 B', '35.2 kB', '5.0 MB', '2.1 GB')
    """
    if count_bytes < _KB:
        return f"{count_bytes} B"
    value = float(count_bytes)
    for unit in ("kB", "MB", "GB"):
        value /= _KB
        if value < _KB or unit == "GB":
            break
    return f"{value:,.1f} {unit}"
