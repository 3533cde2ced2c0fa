"""Make the bundled extract of SimBench's profiles: src/podium/study/data/simbench/profiles.parquet.

    python scripts/make_simbench_extract.py

Needs the package `simbench` (extra `simbench`). The profiles are under the ODbL 1.0, see LICENSE.md there.
"""

from __future__ import annotations

import warnings
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from podium.study.simbench_profiles import TIME_ZONE, utc_index

TARGET = Path(__file__).parents[1] / "src/podium/study/data/simbench/profiles.parquet"

LOADS = (
    *("H0-A", "H0-B", "H0-C", "H0-G", "H0-L"),  # households
    *("G0-A", "G1-A", "G4-A", "G4-B", "G5-A"),  # shops and offices
    *("G0-M", "G2-A", "G3-A", "G3-M"),  # industry
    *("HLS_A_3.7", "HLS_B_3.7", "HLS_C_3.7", "HLS_A_11.0", "HLS_B_11.0"),  # cars at home
    *("Air_Alternative_1", "Air_Parallel_2", "Air_Semi-Parallel_2", "Soil_Alternative_2"),  # heat pumps
)
GENERATION = ("PV1", "PV3", "PV5", "PV8", "WP4", "WP7", "WP10")

WEEKS = (
    (date(2016, 1, 18), 12),
    (date(2016, 3, 12), 20),  # with the change to summer time on 27 March
    (date(2016, 7, 11), 12),
    (date(2016, 10, 24), 9),  # with the change to winter time on 30 October
)
"""First day and number of days, one per season."""


def profiles() -> pd.DataFrame:
    """All profiles of LOADS and GENERATION over 2016, kW per kW, indexed by UTC."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import simbench

        tables = simbench.get_all_simbench_profiles(2)
    columns = {name: tables["load"][f"{name}_pload"].to_numpy() for name in LOADS}
    columns |= {name: tables["renewables"][name].to_numpy() for name in GENERATION}
    return pd.DataFrame(columns, index=utc_index(tables["load"]["time"]).rename("time")).astype(float)


def chosen(times: pd.DatetimeIndex) -> np.ndarray:
    """True in the WEEKS. Shape (quarter-hour,)."""
    days = {first + timedelta(days=shift) for first, count in WEEKS for shift in range(count)}
    return np.array([day in days for day in times.tz_convert(TIME_ZONE).date])


def main() -> None:
    table = profiles()
    extract = table[chosen(pd.DatetimeIndex(table.index))].clip(lower=0.0).round(4).astype("float32")
    extract.to_parquet(TARGET, compression="zstd", compression_level=19)
    size = f"{extract.shape[0]} quarter-hours x {extract.shape[1]} profiles"
    print(f"{TARGET}: {size}, {TARGET.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
