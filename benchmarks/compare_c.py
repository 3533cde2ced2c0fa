"""Benchmark C as one linear programme in HiGHS, beside Podium's coordination, in one run.

    python benchmarks/compare_c.py --pods 10 100

The programme is written from the benchmark's definition (src/podium/bench/benchmark_c.py): all PODs, both products. It
has the same optimum as `podium bench c` is certified against. `elimination` is the same programme by Podium's own
interior point method, which level 2 uses where many limits bind. HiGHS solves it by its interior point method without
crossover, which is the fastest of its ways here (the simplex method takes far longer).
"""

import argparse
from time import process_time

import highspy
import numpy as np
from scipy.sparse import coo_matrix

from podium.bench.benchmark_a import EFFICIENCY, ENERGY_KWH, POWER_KW, STEP_HOURS, STEPS, batches
from podium.bench.benchmark_c import BLOCK_STEPS, SUSTAIN_HOURS, coupling_of, run
from podium.flex.elimination import Meeting
from podium.flex.highs import QuietHighs
from podium.flex.interior import Accuracy, Block, solve_together
from podium.flex.program import Model, arrays

#: Rows in which PODs meet: backing up, then down, by step.
ROWS = np.arange(2 * STEPS)
#: Columns of a POD, a block of steps each.
CHARGE, DISCHARGE, SUN, BUY, SELL, ENERGY, UP, DOWN = range(8)


class Rows:
    """Rows of a sparse matrix as they are put together."""

    def __init__(self):
        self.entries, self.lower, self.upper = [], [], []

    def add(self, size, lower, upper):
        """New rows; returns their numbers."""
        first = sum(map(len, self.lower))
        self.lower.append(np.broadcast_to(np.asarray(lower, float), size))
        self.upper.append(np.broadcast_to(np.asarray(upper, float), size))
        return np.arange(first, first + size)

    def put(self, rows, columns, value):
        """Entries, one per pair of row and column."""
        self.entries.append((rows, columns, np.broadcast_to(np.asarray(value, float), len(rows))))


def monolith(pods):
    """Objective, EUR, and CPU seconds of building and solving."""
    begun = process_time()
    batch = next(iter(batches(pods, pods)))
    size = 8 * STEPS
    columns = pods * size + 12
    cost, lower, upper = np.zeros(columns), np.zeros(columns), np.full(columns, np.inf)
    rows, step = Rows(), np.arange(STEPS)
    covers = [rows.add(STEPS, 0.0, np.inf) for _ in range(2)]
    for side, product in enumerate(coupling_of(pods).products):
        offers = pods * size + 6 * side + np.arange(6)
        cost[offers] = -product.value_eur_per_kw
        rows.put(covers[side], offers[step // BLOCK_STEPS], -1.0)
    for pod in range(pods):
        at = [pod * size + kind * STEPS + step for kind in range(8)]
        cost[at[BUY]], cost[at[SELL]] = STEP_HOURS * batch.buy, -STEP_HOURS * batch.sell
        upper[at[CHARGE]] = upper[at[DISCHARGE]] = POWER_KW
        upper[at[SUN]], upper[at[ENERGY]], lower[at[ENERGY][-1]] = batch.pv[pod], ENERGY_KWH, ENERGY_KWH / 2
        add_energy(rows, at, batch.load[pod])
        add_reserve(rows, at, covers)
    return solved(rows, cost, lower, upper), process_time() - begun


def add_energy(rows, at, load):
    """Balance at the meter and energy of the battery."""
    balance = rows.add(STEPS, -load, -load)
    for kind, sign in ((CHARGE, 1), (DISCHARGE, -1), (SUN, -1), (BUY, -1), (SELL, 1)):
        rows.put(balance, at[kind], sign)
    first = np.where(np.arange(STEPS) == 0, ENERGY_KWH / 2, 0.0)
    level = rows.add(STEPS, first, first)
    rows.put(level, at[ENERGY], 1.0)
    rows.put(level[1:], at[ENERGY][:-1], -1.0)
    rows.put(level, at[CHARGE], -STEP_HOURS * EFFICIENCY)
    rows.put(level, at[DISCHARGE], STEP_HOURS / EFFICIENCY)


def add_reserve(rows, at, covers):
    """What power and energy leave for both products, and what covers the offers."""
    for side, kind, sign in ((0, UP, 1.0), (1, DOWN, -1.0)):
        power = rows.add(STEPS, -np.inf, POWER_KW)
        rows.put(power, at[kind], 1.0)
        rows.put(power, at[DISCHARGE], sign)
        rows.put(power, at[CHARGE], -sign)
        rows.put(covers[side], at[kind], 1.0)
    held = rows.add(STEPS, -np.inf, 0.0)
    rows.put(held, at[UP], SUSTAIN_HOURS / EFFICIENCY)
    rows.put(held, at[ENERGY], -1.0)
    room = rows.add(STEPS, -np.inf, ENERGY_KWH)
    rows.put(room, at[DOWN], SUSTAIN_HOURS * EFFICIENCY)
    rows.put(room, at[ENERGY], 1.0)


def solved(rows, cost, lower, upper):
    """Objective of the programme."""
    row, column, value = (np.concatenate([entry[n] for entry in rows.entries]) for n in range(3))
    row_lower, row_upper = np.concatenate(rows.lower), np.concatenate(rows.upper)
    matrix = coo_matrix((value, (row, column)), shape=(len(row_lower), len(cost))).tocsc()
    programme = highspy.HighsLp()
    programme.num_col_, programme.num_row_ = len(cost), len(row_lower)
    programme.col_cost_, programme.col_lower_, programme.col_upper_ = cost, lower, upper
    programme.row_lower_, programme.row_upper_ = row_lower, row_upper
    programme.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    programme.a_matrix_.start_, programme.a_matrix_.index_ = matrix.indptr, matrix.indices
    programme.a_matrix_.value_ = matrix.data
    highs = QuietHighs()
    highs.setOptionValue("solver", "ipm")
    highs.setOptionValue("run_crossover", "off")
    highs.passModel(programme)
    highs.run()
    return highs.getInfo().objective_function_value


def eliminated(pods):
    """Objective and bound, EUR, and CPU seconds: the same programme, by the elimination of each POD."""
    begun = process_time()
    blocks = [block(batch) for batch in batches(pods, 64)]
    market = Model(1)
    for product in coupling_of(pods).products:
        market.columns(6, 0.0, 20.0 * pods, -product.value_eur_per_kw)
    market.rows(1, -np.inf, np.inf)
    market.add(np.zeros(1, dtype=int), np.zeros(1, dtype=int), 1.0)
    step = np.arange(STEPS)
    offers = np.concatenate((step // BLOCK_STEPS, 6 + step // BLOCK_STEPS))
    blocks.append(Block(arrays(market), Meeting(ROWS, offers, -np.ones(2 * STEPS), np.tile(step, 2)), ROWS))
    found = solve_together(blocks, np.zeros(2 * STEPS), np.full(2 * STEPS, np.inf), STEPS, Accuracy(1e-6, 1e-4))
    return found.cost, found.bound, process_time() - begun


def block(batch):
    """Programmes of a batch of PODs, which meet in the backing of both products."""
    model, count = Model(len(batch.load)), len(batch.load)
    none, power = np.zeros((count, STEPS)), np.full((count, STEPS), POWER_KW)
    most = np.array([POWER_KW, POWER_KW, 0, np.inf, np.inf, ENERGY_KWH, np.inf, np.inf])
    at = [model.columns(STEPS, 0.0, batch.pv if kind == SUN else most[kind]) for kind in range(8)]
    model.costs[BUY], model.costs[SELL] = (none + STEP_HOURS * batch.buy, none - STEP_HOURS * batch.sell)
    model.lowers[ENERGY] = none + np.where(np.arange(STEPS) == STEPS - 1, ENERGY_KWH / 2, 0.0)
    balance = model.rows(STEPS, -batch.load, -batch.load)
    for kind, sign in ((CHARGE, 1), (DISCHARGE, -1), (SUN, -1), (BUY, -1), (SELL, 1)):
        model.add(balance, at[kind], sign)
    first = np.where(np.arange(STEPS) == 0, ENERGY_KWH / 2, 0.0)
    level = model.rows(STEPS, first, first)
    model.add(level, at[ENERGY], 1.0)
    model.add(level[1:], at[ENERGY][:-1], -1.0)
    model.add(level, at[CHARGE], -STEP_HOURS * EFFICIENCY)
    model.add(level, at[DISCHARGE], STEP_HOURS / EFFICIENCY)
    for kind, sign in ((UP, 1.0), (DOWN, -1.0)):
        rows = model.rows(STEPS, -np.inf, power)
        for column, value in ((at[kind], 1.0), (at[DISCHARGE], sign), (at[CHARGE], -sign)):
            model.add(rows, column, value)
    for kind, value, sign, limit in (
        (UP, SUSTAIN_HOURS / EFFICIENCY, -1.0, 0.0), (DOWN, SUSTAIN_HOURS * EFFICIENCY, 1.0, ENERGY_KWH),
    ):  # fmt: skip
        rows = model.rows(STEPS, -np.inf, limit)
        model.add(rows, at[kind], value)
        model.add(rows, at[ENERGY], sign)
    columns = np.concatenate((at[UP], at[DOWN]))
    return Block(arrays(model), Meeting(ROWS, columns, np.ones(2 * STEPS), np.tile(np.arange(STEPS), 2)), ROWS)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pods", type=int, nargs="+", default=[10, 100])
    parser.add_argument("--gaps", type=float, nargs="+", default=[0.01, 0.003])
    given = parser.parse_args()
    run(10, 0.05)
    eliminated(2)
    heads = ("objective EUR", "above optimum", "certified", "CPU s", "ratio")
    print(f"{'PODs':>6} {'way':>12} {heads[0]:>15} {heads[1]:>14} {heads[2]:>10} {heads[3]:>7} {heads[4]:>6}")
    for pods in given.pods:
        optimum, seconds = monolith(pods)
        print(f"{pods:6} {'one LP':>12} {optimum:15.6f} {'':14} {'':10} {seconds:7.1f} {1:6.1f}")
        cost, bound, taken = eliminated(pods)
        above, gap = (cost - optimum) / abs(optimum), (cost - bound) / abs(cost)
        print(
            f"{pods:6} {'elimination':>12} {cost:15.6f} {above:14.3%} {gap:10.3%} {taken:7.1f} {seconds / taken:6.1f}"
        )
        for gap in given.gaps:
            found = run(pods, gap)
            above = (found["objective_eur"] - optimum) / abs(optimum)
            ratio = seconds / found["cpu_seconds"]
            print(
                f"{pods:6} {f'gap {gap:g}':>12} {found['objective_eur']:15.6f} {above:14.3%} {found['gap']:10.3%} "
                f"{found['cpu_seconds']:7.1f} {ratio:6.1f}"
            )


if __name__ == "__main__":
    main()
