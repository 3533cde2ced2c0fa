"""A thousand random activations of what the plan of a study offers: what of it is not delivered.

    podium init build/afrr --example it-north-afrr
    python benchmarks/activations_of_study.py build/afrr

Calls are inside the offers, of any pattern, lasting up to the time that each product sustains.
"""

import argparse
from time import process_time

import numpy as np

import podium
from podium.dispatch import Fleet, areas_of, try_activations
from podium.market.plan import local_of, optimise_portfolio


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study")
    parser.add_argument("--count", type=int, default=1000)
    args = parser.parse_args()
    study = podium.load_study(args.study)
    begun = process_time()
    plan = optimise_portfolio(study, local_of(study, 1), workers=1)
    planned = process_time() - begun
    certificate = plan.certificate
    print(f"profit {certificate.profit_eur:,.2f} EUR, gap {certificate.gap:.2%}, {planned:.0f} s CPU with level 1")
    portfolio, market = study.portfolio, study.market
    absent = np.isin(portfolio.ids, [failure.pod for failure in plan.failures])
    held = plan.pod_kw * absent[:, None]
    store = portfolio.store()
    areas = areas_of(market, store.pod, portfolio.columns["group"].astype(str), held)
    fleet = Fleet.of(store, portfolio.meter(np.zeros(study.horizon.steps)), study.horizon, areas)
    begun = process_time()
    tried = try_activations(fleet, plan.schedule, plan.backing, args.count)
    print(
        f"{tried.activations:,} activations call {tried.called_kwh / 1000:,.1f} MWh, of which "
        f"{tried.undelivered_kwh:.6f} kWh are not delivered; {process_time() - begun:.0f} s CPU"
    )


if __name__ == "__main__":
    main()
