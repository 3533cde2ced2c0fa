"""The example `it-north-afrr`: the PODs of `it-north-200` with automatic frequency restoration reserve and limits.

Availability and activation prices are made up; only their size, and that they differ from block to block, is like
those of auctions.
"""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from podium.study.it_north import it_north_200
from podium.study.write import StudyParts

UP_EUR_PER_MW_H = (9.0, 11.5, 7.5, 6.0, 14.5, 10.0)
DOWN_EUR_PER_MW_H = (8.0, 6.5, 12.0, 13.5, 5.5, 7.0)
PRICE_TABLE = "afrr"
MADE_UP_NOTICE = """
## afrr.csv
The availability prices in it and the activation prices in study.yaml are made up. The rules of the products are those
of the preset `eu-afrr`, whose source `podium markets` shows.
"""
MARKET = {
    "settlement": "market",
    "withdrawal_max_kw": 6_000.0,
    "injection_max_kw": 20_000.0,
    "reserve": [
        {
            "preset": "eu-afrr",
            "only": f"afrr-{side}",
            "availability_eur_per_mw_h": PRICE_TABLE,
            "activation_eur_per_mwh": activation,
            "activated_share": 0.05,
        }
        for side, activation in (("up", 110.0), ("down", 20.0))
    ],
}


def it_north_afrr() -> StudyParts:
    """The example's frames."""
    draft = it_north_200()
    parts = draft.parts()
    starts = draft.horizon.times[draft.horizon.minute_of_day % 240 == 0]
    prices = pd.DataFrame({"time": starts, "afrr-up": UP_EUR_PER_MW_H, "afrr-down": DOWN_EUR_PER_MW_H})
    spec = {**parts.spec, "name": "Northern Italy, 200 PODs with aFRR", "market": MARKET}
    return replace(parts, spec=spec, tables={PRICE_TABLE: prices})
