"""One GPU against this machine's processor, by size: condensation, fracture ramp, transport step.

`make bench-gpu` runs it, prints the table and writes it. Without a GPU the table says why it is empty. The
ratio counts the copies between host and device, and all that stays on the host.
"""

from __future__ import annotations

import logging
import os
import platform
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from faultline.backend import VARIABLE, Backend, named
from faultline.benchmarks.fracture import AGREEMENT, Ramp, disagreement, polycrystal_ramp
from faultline.benchmarks.growth import transport
from faultline.benchmarks.rows import Row, alternate, row, run_benchmarks, table
from faultline.errors import UserError
from faultline.mechanics import CondensedBlocks, condense
from faultline.transport import solver

SIZES = (0.15e-6, 0.045e-6, 0.0137e-6)  # of elements, m: some 9 000, 90 000 and 1 000 000 triangles
STEPS = 10


def gpu(sizes: Sequence[float] = SIZES, grains: int = 80, steps: int = STEPS) -> list[Row]:
    """Rows of every size, coarse to fine; one that says what is missing where there is no GPU."""
    try:
        device = named("gpu")
    except UserError as reason:
        return [row("GPU against CPU", f"skipped: {reason}")]
    on("gpu", polycrystal_ramp(grains=4, size=0.5e-6, steps=2).ours)  # compiles the kernels
    problems = [polycrystal_ramp(grains, size=size, steps=steps) for size in sizes]
    return [found for problem in problems for found in rows_of(problem, device)]


def rows_of(problem: Ramp, device: Backend) -> list[Row]:
    """The three rows of one particle."""
    particle, stiffness = problem.particle, problem.stiffness
    words = f"{particle.n_cells} triangles in {particle.n_blocks} grains"
    return [
        _row(f"condensation, {words}", lambda: condense(particle, stiffness), _blocks_differ, device),
        _row(
            f"fracture ramp of {problem.steps} steps with its condensation, {words}",
            problem.ours,
            lambda a, b: disagreement(problem, a, b),
            device,
        ),
        _row(f"transport step, {words}", transport(particle), _compositions_differ, device),
    ]


def on(backend: str, call: Callable[[], Any]) -> Any:
    """Result of a call on a backend; transport is solved there on coarse meshes too."""
    with patch.dict(os.environ, {VARIABLE: backend}), patch.object(solver, "FEWEST_CELLS", 0):
        return call()


def _row(name: str, call: Callable[[], Any], differ: Callable[[Any, Any], float], device: Backend) -> Row:
    timing = alternate(lambda: on("gpu", call), lambda: on("cpu", call))
    gap = differ(timing.our_result, timing.peer_result)
    threads = os.environ.get("OMP_NUM_THREADS", "all")
    note = (
        f"{device.words} against {platform.processor() or platform.machine()}, {os.cpu_count()} cores "
        f"(OMP_NUM_THREADS: {threads}); results differ by {gap:.1e}; {timing.repeats}"
    )
    if gap > AGREEMENT:
        return row(name, f"not one result: {note}", ours_s=timing.ours_s, peer_s=timing.peer_s, ratio=np.nan)
    return row(name, note, ours_s=timing.ours_s, peer_s=timing.peer_s)


def _blocks_differ(a: CondensedBlocks, b: CondensedBlocks) -> float:
    return float(np.abs(a.schur - b.schur).max() / np.abs(b.schur).max())


def _compositions_differ(a: Any, b: Any) -> float:
    return float(np.abs(a.x - b.x).max())


BENCHMARKS = {"GPU against CPU": gpu}


def main(path: str) -> None:
    """Measure, print and write the table."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    rows = run_benchmarks(BENCHMARKS)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    table(rows).to_csv(path, index=False)
    for found in rows:
        seconds = f"{found.ours_s:.3g} s, CPU {found.peer_s:.3g} s, ratio {found.ratio:.3g}; "
        print(f"{found.benchmark}: {seconds if np.isfinite(found.ours_s) else ''}{found.note}")


if __name__ == "__main__":
    main(*sys.argv[1:])
