"""How quickly the service answers many clients while runs compute: `python benchmarks/service_load.py`.

A server of its own in a folder that is thrown away, with two workers that compute the 200 PODs of the example over and
over; each client asks, waits for the answer, pauses, and asks again.
"""

from __future__ import annotations

import argparse
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from uuid import UUID

import httpx
import numpy as np

from podium.client import API, Client, is_ready

PASSWORD = "only for this benchmark"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--clients", type=int, default=50)
    arguments.add_argument("--seconds", type=float, default=60.0)
    arguments.add_argument("--pause", type=float, default=0.5, help="mean pause of a client between two requests, s")
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        variables = os.environ | {"PODIUM_PORT": str(port), "PODIUM_WORKERS": "2", "PODIUM_CORES_PER_RUN": "1"}
        with (Path(folder) / "log").open("w") as log:
            command = [sys.executable, "-c", "from podium.cli import main; main()", "serve"]
            server = subprocess.Popen(command, cwd=folder, env=variables, stderr=log)
        try:
            measure(f"http://127.0.0.1:{port}", chosen.clients, chosen.seconds, chosen.pause)
        finally:
            server.terminate()
            server.wait()


def measure(url: str, clients: int, seconds: float, pause: float) -> None:
    while not is_ready(url):
        time.sleep(0.2)
    with Client(url) as owner:
        owner.set_up("load@example.org", "Load", PASSWORD)
        study = owner.make_example("it-north-200").id
        runs = [owner.start_run(study, again=True).id for _ in range(20)]
        token = owner.make_token("load", ["studies:read", "runs:read"]).token
        while owner.run(runs[0]).state != "running":
            time.sleep(0.2)
        taken: list[float] = []
        failed: list[str] = []
        until = time.monotonic() + seconds
        threads = [
            threading.Thread(target=ask, args=(url, token, study, runs, until, pause, taken, failed))
            for _ in range(clients)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        done = sum(run.state == "done" for run in owner.runs())
    times = np.array(taken) * 1000
    print(f"{len(times)} requests of {clients} clients in {seconds:g} s, {len(failed)} failed {failed[:3]}")
    print(f"p50 {np.quantile(times, 0.5):.0f} ms, p95 {np.quantile(times, 0.95):.0f} ms, max {times.max():.0f} ms")
    print(f"meanwhile {done} runs of 200 PODs were done; load of the machine {os.getloadavg()[0]:.1f}")


def ask(
    url: str,
    token: str,
    study: UUID,
    runs: list[UUID],
    until: float,
    pause: float,
    taken: list[float],
    failed: list[str],
) -> None:
    random.seed()
    paths = ["/studies", f"/studies/{study}", f"/studies/{study}/tables/pods", "/runs?limit=10"]
    paths += [f"/runs/{run}" for run in runs[:4]]
    with httpx.Client(base_url=url + API, headers={"Authorization": f"Bearer {token}"}, timeout=30) as http:
        while time.monotonic() < until:
            begun = time.perf_counter()
            response = http.get(random.choice(paths))
            taken.append(time.perf_counter() - begun)
            if response.status_code != httpx.codes.OK:
                failed.append(response.text[:200])
            time.sleep(random.expovariate(1 / pause) if pause else 0)


if __name__ == "__main__":
    main()
