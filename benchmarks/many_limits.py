"""Everything that couples PODs at once, with limits that bind in most steps: how close the plan gets, round by round.

    python benchmarks/many_limits.py                  # the 200 PODs of it-north-afrr
    python benchmarks/many_limits.py --times 2        # 400, with limits and headroom in proportion
    python benchmarks/many_limits.py --steps-mw 0     # offers of any size

aFRR up and down and FCR, limits of the whole and of a group, a peak charge, and headroom.
"""

import argparse
import tempfile
from pathlib import Path
from time import process_time

import pandas as pd

import podium
from podium.market.plan import local_of, optimise_portfolio
from podium.study.examples import write_example

MARKET = """\
market:
  settlement: market
  limits: {{withdrawal_max_kw: {withdrawal}, injection_max_kw: {injection}}}
  peak_eur_per_kw: 0.05
  headroom_up_kw: {headroom}
  headroom_down_kw: {headroom}
  groups: [{{group: shop, withdrawal_max_kw: {shops}}}]
  reserve:
    - {{preset: eu-afrr, {steps}availability_eur_per_mw_h: afrr.csv}}
    - {{preset: eu-fcr, {steps}availability_eur_per_mw_h: 14}}
"""
BY_KEY = {None: "", 0.0: "minimum_mw: 0, increment_mw: 0, "}


def study_of(folder, times, steps_mw):
    """The example, all PODs so many times over, with this market."""
    write_example("it-north-afrr", folder)
    for path in folder.glob("*.csv"):
        table = pd.read_csv(path, dtype=str)
        named = [name for name in ("pod", "device") if name in table.columns]
        if named:
            copies = [table] + [
                table.assign(**{name: table[name] + f" {n}" for name in named}) for n in range(2, times + 1)
            ]
            pd.concat(copies).to_csv(path, index=False)
    steps = BY_KEY.get(steps_mw, f"increment_mw: {steps_mw}, ")
    market = MARKET.format(
        withdrawal=3500 * times, injection=12000 * times, headroom=500 * times, shops=150 * times, steps=steps
    )
    spec = folder / "study.yaml"
    spec.write_text(spec.read_text().partition("market:")[0] + market)
    return podium.load_study(folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--steps-mw", type=float, default=0.1)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--every", type=int, default=10)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        study = study_of(Path(name), args.times, args.steps_mw)
    local = local_of(study, 1)
    begun = process_time()

    def told(done):
        if done.number % args.every == 0 or done.gap < study.options.gap:
            print(f"round {done.number:4d}  bound {done.bound_eur:12,.2f}  mix {done.profit_eur:12,.2f}  "
                  f"gap {done.gap:8.3%}  {process_time() - begun:6.1f} s CPU", flush=True)  # fmt: skip

    plan = optimise_portfolio(study, local, workers=1, time_limit_seconds=args.seconds, told=told)
    certificate = plan.certificate
    if certificate is None:  # limits are missed, and the notices say so
        raise SystemExit("\n".join(plan.notices))
    print(
        f"{len(study.portfolio)} PODs: profit {certificate.profit_eur:,.2f} EUR, bound {certificate.bound_eur:,.2f}, "
        f"gap {certificate.gap:.2%}, {len(certificate.rounds)} rounds, {process_time() - begun:.0f} s CPU"
    )
    print(*plan.notices, sep="\n")


if __name__ == "__main__":
    main()
