"""A study folder becomes a `Study`: columns, not objects, and every problem of the folder at once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from podium.devices import KINDS
from podium.devices.device import DeviceTable
from podium.errors import InputError, Problem
from podium.horizon import Horizon
from podium.market.prices import EnergyPrices
from podium.market.terms import Market
from podium.portfolio import Pod, Portfolio
from podium.profiles import Profiles
from podium.study.cells import read_numbers
from podium.study.file_ref import FileRef
from podium.study.groups import Group
from podium.study.limits import LIMITS, Limits
from podium.study.market import Floats, Key, MarketReader, market_groups, market_profiles, price_problems
from podium.study.moments import Clock
from podium.study.rows import Rows, id_problems, judged, moved_chargers, owners, pod_rules, read_rows, unpriced
from podium.study.schema import SPEC_FILE, Options, SpecFile, StudyFile, read_spec
from podium.study.series import TIME, read_series
from podium.study.tables import Table, TableFile, open_table
from podium.study.wording import each, is_missing, one_of

PRICE = "price_eur_per_mwh"
BUY, SELL, PRODUCTION = "buy_eur_per_mwh", "sell_eur_per_mwh", "production_eur_per_mwh"


@dataclass(frozen=True)
class Study:
    """A portfolio with the market it faces and how to optimise it."""

    name: str
    portfolio: Portfolio
    prices: EnergyPrices | None = None
    options: Options = field(default_factory=Options)
    folder: Path | None = None
    """Where it was read from."""
    notices: tuple[str, ...] = ()
    """What is worth knowing and stops nothing, such as a car that cannot be filled in time."""
    market: Market = field(default_factory=Market)
    """Reserve products, limits of the whole portfolio, and who is billed where."""
    unready: tuple[Problem, ...] = field(default=(), compare=False)
    """What keeps it from being run while it has no `prices`: a market to settle on, PODs without a tariff."""

    @property
    def horizon(self) -> Horizon:
        """The time axis of everything in the study."""
        return self.portfolio.horizon

    def with_method(self, method: str) -> Study:
        """The same study with another method of level 2; raises InputError where there is none of that name."""
        if method not in ("exact", "virtus"):
            raise InputError(Problem("method", repr(method), "'exact' or 'virtus'"))
        return replace(self, options=self.options.model_copy(update={"method": method}))


def load_study(path: Path | str, limits: Limits = LIMITS) -> Study:
    """The study of a folder (or of its study.yaml).

    Raises InputError with every problem of all its files: file and line, value, and what was expected.
    """
    spec_path = _spec_path(Path(path))
    loading = _Loading(spec_path.parent, read_spec(spec_path, limits), limits)
    spec = loading.spec
    portfolio = prices = None
    with loading.noting():
        loading.groups = market_groups(spec.market, loading)
    with loading.noting():
        portfolio = loading.portfolio()
    with loading.noting():
        prices = loading.prices()
    market = loading.market(portfolio)
    if loading.problems or portfolio is None:
        raise InputError(loading.problems)
    return Study(
        spec.name,
        portfolio,
        prices,
        options=spec.options,
        folder=spec_path.parent,
        notices=tuple(loading.notices),
        market=market,
        unready=tuple(loading.unready),
    )


def _spec_path(path: Path) -> Path:
    spec = path / SPEC_FILE if path.is_dir() else path
    if not spec.is_file():
        there = "is a folder without study.yaml" if path.is_dir() else "does not exist"
        raise InputError(Problem(str(path), there, "a study folder (or its study.yaml)"))
    return spec


@dataclass
class _Loading:
    """A study on its way in: what was found wrong so far, and what is worth knowing."""

    folder: Path
    said: SpecFile
    limits: Limits
    problems: list[Problem] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    unready: list[Problem] = field(default_factory=list)
    """What keeps a study that can be read from being run."""
    groups: list[Group] = field(default_factory=list)
    """Groups that have limits."""
    market_series: dict[str, Floats] = field(default_factory=dict)
    """Profiles that the key `market` names."""

    @property
    def spec(self) -> StudyFile:
        """What study.yaml says."""
        return self.said.spec

    @property
    def horizon(self) -> Horizon:
        """The time axis."""
        return self.said.horizon

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Note problems and go on, so that all files are looked at."""
        try:
            yield
        except InputError as error:
            self.problems.extend(error.problems)

    def where(self, *key: str | int) -> str:
        """Place of a key of study.yaml."""
        return self.said.where(*key)

    def open(self, ref: FileRef, *key: str | int) -> TableFile:
        """The file of a key of study.yaml."""
        return open_table(self.folder, ref, self.said.where(*key), self.limits)

    def clock(self, ref: FileRef) -> Clock:
        """How a file tells the time."""
        return Clock(self.spec.time_zone, ref.local_times)

    def portfolio(self) -> Portfolio:
        """PODs, devices and the profiles that they use; raises InputError where there can be none."""
        devices: dict[str, Rows] = {}
        for kind, ref in self.spec.device_files().items():
            with self.noting():
                devices[kind] = read_rows(self.open(ref, "devices", kind), KINDS[kind], "device", self.clock(ref))
        try:
            pods = self._pods()
        except InputError:
            self._note_all(devices.values())
            raise
        profiles = self._resolved([pods, *devices.values()])
        self.problems += id_problems(pods, devices)
        tables = {kind: self._devices(kind, rows, pods, profiles) for kind, rows in devices.items()}
        self.problems += [*pods.problems, *pod_rules(pods)]
        self.unready += unpriced(pods) if self.spec.prices is None else []
        filled = {kind: table for kind, table in tables.items() if len(table)}
        return Portfolio(self.horizon, profiles, pods.ids, pods.columns, filled)

    def _note_all(self, tables: Iterable[Rows]) -> None:
        for rows in tables:
            self.problems += rows.problems

    def _pods(self) -> Rows:
        file = self.open(self.spec.pods, "pods")
        pods = read_rows(file, Pod, "pod", self.clock(self.spec.pods))
        if not len(pods):
            problems = [Problem(file.source, "no PODs", "at least one row"), *pods.problems]
            raise InputError(problems)
        return pods

    def _devices(self, kind: str, rows: Rows, pods: Rows, profiles: Profiles) -> DeviceTable:
        pod = owners(rows, pods)
        rows.problems += moved_chargers(rows, pod)
        verdict = judged(rows, KINDS[kind], pod, profiles, self.horizon)
        self.problems += [*rows.problems, *verdict.problems]
        self.notices += verdict.notices
        return verdict.table

    def _resolved(self, tables: list[Rows]) -> Profiles:
        """Read the profiles that the tables name, and put their rows in place of the names."""
        used: set[str] = set().union(*(rows.profile_names() for rows in tables))
        wanted = market_profiles(self.spec.market, [group.keys for group in self.groups])
        before = len(self.problems)
        profiles, available = self._profiles(used | set(wanted))
        if len(self.problems) > before:  # a file is at fault; go on as if it held what is asked for
            available = list(used | set(wanted))
            profiles = Profiles(tuple(available), np.ones((len(available), self.horizon.steps)))
        sources = " or ".join(ref.source for ref in self.spec.profiles)
        files = f"a column of {sources}" if sources else f"a file with it under 'profiles' in {SPEC_FILE}"
        own = profiles.take(np.flatnonzero([name in used for name in profiles.names]))
        for rows in tables:
            rows.resolve(own, available, files)
        rows_by_name = zip(profiles.names, profiles.values, strict=True)
        self.market_series = {name: row for name, row in rows_by_name if name in wanted}
        self.problems += [
            Problem(
                self._in_market(key), f"{key[-1]} {name!r} is not among the profiles", _among(files, name, available)
            )
            for name, key in wanted.items()
            if name not in available
        ]
        return own

    def _in_market(self, key: Key) -> str:
        """Place of a key of the market, which may stand in the table of groups."""
        group = self.groups[int(key[2])] if key[1] == "groups" else None
        return self.where(*key) if group is None else group.where(str(key[-1]))

    def _profiles(self, used: set[str]) -> tuple[Profiles, list[str]]:
        """The used columns of all profile files, in the order of the files, and the names of all columns."""
        names: list[str] = []
        values: list[NDArray[np.float64]] = [np.zeros((0, self.horizon.steps))]
        home: dict[str, str] = {}
        for place, ref in enumerate(self.spec.profiles):
            with self.noting():
                file = self.open(ref, "profiles", place)
                _refuse_without_time(file)
                self.problems += _profiles_elsewhere(file, home)
                chosen = [name for name in file.names if name in used and name not in home and name != TIME]
                home |= {name: home.get(name, file.source) for name in file.names if name != TIME}
                if chosen:
                    found, _ = read_series(file, chosen, self.horizon, self.clock(ref))
                    names += chosen
                    values.append(found)
        return Profiles(tuple(names), np.concatenate(values)), list(home)

    def prices(self) -> EnergyPrices | None:
        """Market prices on the steps of the horizon."""
        ref = self.spec.prices
        if ref is None:
            return None
        file = self.open(ref, "prices")
        _refuse_without_time(file)
        names = _price_columns(file)
        values, table = read_series(file, names, self.horizon, self.clock(ref))
        by_name = dict(zip(names, values, strict=True))
        buy = by_name.get(PRICE, by_name.get(BUY))
        sell = by_name.get(PRICE, by_name.get(SELL))
        if buy is None or sell is None:
            raise AssertionError("columns were checked")
        found = EnergyPrices(buy, sell, by_name.get(PRODUCTION, np.zeros_like(buy)))
        if self.spec.options.method == "exact" and self.spec.market.settlement != "retail":
            self.problems += _arbitrage(table, names)
        where = self.where("market", "time_unit_minutes")
        self.problems += price_problems(found, self.spec.market, self.horizon, where)
        return found

    def market(self, portfolio: Portfolio | None) -> Market:
        """What the portfolio meets beside prices; without a portfolio, what names its parts is not checked."""
        keys = self.spec.market
        if portfolio is None:
            groups: set[str] = {group.keys.group for group in self.groups}
            members: set[str] = set(keys.priority)
        else:
            groups = set(portfolio.columns["group"]) - {""}
            members = {str(name) for table in portfolio.devices.values() for name in table.ids}
        reader = MarketReader(keys, self, self.market_series, self.groups, groups, members)
        market = reader.market()
        self.problems += reader.problems
        self.notices += reader.notices
        where = self.where("market", "settlement")
        if keys.settlement == "both" and self.spec.prices is None:
            self.problems.append(Problem(where, "settlement 'both' without market prices", "a file under 'prices'"))
        if keys.settlement == "market" and market.sells and self.spec.prices is None:
            expected = "a file under 'prices', or settlement 'retail'"
            self.unready.append(Problem(where, "settlement 'market' without market prices", expected))
        return market


def _among(files: str, name: str, available: Collection[str]) -> str:
    return f"{files}: {one_of(name, available)}" if available else files


def _arbitrage(table: Table, names: list[str]) -> list[Problem]:
    """Rows in which selling pays more than buying costs."""
    if SELL not in names:
        return []
    sell, buy = (read_numbers(table, name)[0] for name in (SELL, BUY))
    expected = "a selling price at most as high as the buying price (profit would have no limit), or method 'virtus'"
    return each(
        np.flatnonzero(sell > buy),
        table.where,
        lambda row: f"selling at {sell[row]:g} and buying at {buy[row]:g} EUR/MWh",
        expected,
    )


def _profiles_elsewhere(file: TableFile, home: Mapping[str, str]) -> list[Problem]:
    """Profiles that an earlier file has too."""
    return [
        Problem(file.header, f"profile {name!r} stands in {home[name]} too", "each profile in one file")
        for name in file.names
        if name in home
    ]


def _refuse_without_time(file: TableFile) -> None:
    if TIME not in file.names:
        raise InputError(
            Problem(file.header, f"column {is_missing(TIME)}", "the start of each row's step, with an offset")
        )


def _price_columns(file: TableFile) -> list[str]:
    """The price columns of a file: one price, or buying and selling; production if it is there."""
    known = [TIME, PRICE, BUY, SELL, PRODUCTION]
    problems = [
        Problem(file.header, f"unknown column {name!r}", one_of(name, known))
        for name in file.names
        if name not in known
    ]
    one, pair = PRICE in file.names, [name for name in (BUY, SELL) if name in file.names]
    if one == bool(pair) or len(pair) == 1:
        has = ", ".join(repr(name) for name in file.names)
        problems.append(Problem(file.header, f"columns {has}", f"{PRICE!r}, or {BUY!r} and {SELL!r}"))
    if problems:
        raise InputError(problems)
    return [name for name in known[1:] if name in file.names]
