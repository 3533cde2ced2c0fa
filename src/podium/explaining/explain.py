"""From the study and the files of a run to an explanation of one POD at one step."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from podium.errors import InputError, Problem
from podium.explaining.explanation import Binding, DeviceReason, Explanation
from podium.explaining.reasons import connection_limits, price_at, reason_of
from podium.explaining.record import Record, read_record
from podium.explaining.worth import PodModel
from podium.market.prices import KWH_PER_MWH
from podium.report.text import fixed, kind_text
from podium.results import RESULTS
from podium.study import Study
from podium.study.wording import one_of


def explain(
    study: Study, results: Path | None = None, *, pod: str, at: str | datetime, device: str | None = None
) -> Explanation:
    """Why a POD, or one of its devices, does what it does in the step that holds `at`.

    `results`: the folder of a run (default: `results` in the study's folder). The POD is solved again at the prices of
    the plan, a little more of everything at a time, so that values of stored energy and of limits are exact for it.
    Raises InputError for an unknown POD or device, a time without offset or outside the horizon, or missing results.
    """
    folder = results or (study.folder or Path()) / RESULTS
    record = read_record(study, folder, pod, at)
    if device is not None and device not in record.kinds:
        raise InputError(Problem(f"device {device!r}", f"not at POD {pod!r}", one_of(device, list(record.kinds))))
    model = PodModel(record)
    net_kw = float(sum(row[record.step] for row in record.power_kw.values()))
    price = price_at(model, record.step, net_kw)
    names = [name for name in record.kinds if device in (None, name)]
    devices = tuple(reason_of(record, model, name, price) for name in names)
    limits = (*connection_limits(record, model, net_kw), *_portfolio_limits(record))
    prices = study.prices
    horizon, step = study.horizon, record.step
    found = Explanation(
        pod, record.group, horizon.times[step].isoformat(), horizon.time_zone, horizon.step_minutes, net_kw,
        None if prices is None else float(prices.buy[step]), None if prices is None else float(prices.sell[step]),
        None if record.signal is None else float(record.signal.energy[0, step]),
        price.withdrawn, price.injected, devices, limits, (),
    )  # fmt: skip
    return Explanation(**{**vars(found), "lines": tuple(_lines(found, study))})


def _portfolio_limits(record: Record) -> tuple[Binding, ...]:
    """Limits of the portfolio and of the POD's group that bind at the step."""
    return tuple(
        Binding(
            f"{row.what} of {f'group {row.group!r}' if row.group else 'the portfolio'}",
            float(str(row.limit_kw)),
            "kW",
            float(str(row.eur_per_kw)),
        )
        for row in record.limits.itertuples()
    )


def _lines(found: Explanation, study: Study) -> list[str]:
    head = f"{found.pod}, {found.start}, {found.step_minutes} min (local time, {found.time_zone})"
    lines = [head, f"  net power   {_power(found.net_kw)}", f"  price       {_price_words(found, study)}"]
    for each in found.devices:
        lines += _device_lines(each)
    if found.limits:
        lines.append("limits around it")
        lines += [f"  {_limit_words(limit)}" for limit in found.limits]
    return lines


def _price_words(found: Explanation, study: Study) -> str:
    parts = []
    if found.coordination_eur_per_kwh is not None:
        whose = f"group {found.group!r}" if found.group else "the portfolio"
        parts.append(f"{fixed(found.coordination_eur_per_kwh, 4)} EUR/kWh is what energy is worth to {whose}")
    if found.market_buy_eur_per_mwh is not None and found.market_sell_eur_per_mwh is not None:
        buy, sell = found.market_buy_eur_per_mwh / KWH_PER_MWH, found.market_sell_eur_per_mwh / KWH_PER_MWH
        market = fixed(buy, 4) if buy == sell else f"{fixed(buy, 4)} (buying) and {fixed(sell, 4)} (selling)"
        parts.append(f"the market price is {market} EUR/kWh")
    if found.coordination_eur_per_kwh is None or study.market.settlement != "market":
        withdrawn, injected = found.price_withdrawn_eur_per_kwh, found.price_injected_eur_per_kwh
        meter = (
            fixed(withdrawn, 4) if withdrawn == injected else f"{fixed(withdrawn, 4)} (or earns {fixed(injected, 4)})"
        )
        parts.append(f"at the meter, tariff included, 1 kWh costs {meter} EUR")
    return "; ".join(parts)


def _device_lines(each: DeviceReason) -> list[str]:
    level = "" if each.energy_kwh is None else f", {fixed(each.energy_kwh, 3)} kWh at the end of the step"
    lines = [f"{each.device} ({kind_text(each.kind)}): {_power(each.power_kw)}{level}"]
    lines += [f"  {line}" for line in each.why]
    lines += [
        f"  It holds {fixed(held.kw, 3)} kW {held.direction} ready for {held.product}, "
        f"at {fixed(held.eur_per_kw, 5)} EUR per kW in this step."
        for held in each.held
    ]
    return lines + [f"  Limit: {_limit_words(limit)}" for limit in each.limits]


def _limit_words(limit: Binding) -> str:
    at = f"{limit.limit}, {fixed(limit.value, 3)} {limit.unit}"
    if limit.worth_eur is None:
        return at
    worth = fixed(limit.worth_eur, 5)
    return f"{at}; 1 {limit.unit} more room is worth {'nothing' if worth == fixed(0.0, 5) else f'{worth} EUR'}"


def _power(kw: float) -> str:
    word = "withdraws" if kw > 0 else "injects"
    return "0.000 kW" if fixed(abs(kw), 3) == "0.000" else f"{word} {fixed(abs(kw), 3)} kW"
