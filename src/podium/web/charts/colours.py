"""Names of colours in charts, each a property of the style sheet, so that one chart fits light and dark pages."""

from __future__ import annotations

#: What a colour is for -> the property that holds it. The page's script looks it up, anew when the mode changes.
COLOURS = {
    "plan": "--chart-plan",
    "baseline": "--chart-baseline",
    "bound": "--chart-bound",
    "reference": "--chart-reference",
    "band": "--chart-band",
    "other": "--chart-other",
    "bad": "--chart-bad",
}
#: Colours of things of which there may be many, in order.
MANY = tuple(f"--chart-{number}" for number in range(1, 9))


def colour(name: str) -> str:
    """A colour as the script reads it.

    >>> colour("plan"), colour("9")
    ('var(--chart-plan)', 'var(--chart-2)')
    """
    found = COLOURS.get(name) or MANY[int(name) % len(MANY)]
    return f"var({found})"
