"""When a particle of even composition begins to crack, and how that hangs on its residual strain.

The limit of a slow charge: no gradients, so that misfit comes from the lattice change of differently oriented
grains and from the strain that synthesis left behind. That strain is there from the start; a particle may
crack before any charge passes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from faultline.cracks.law import Floats
from faultline.cracks.statistics import failed_fraction
from faultline.errors import NotConverged
from faultline.microstructure.particle import Particle
from faultline.statistics import Statistic, of_samples

if TYPE_CHECKING:  # who only counts the runs need not load the engine
    from faultline.cracks.evolution import CrackEvolution
    from faultline.materials.particle_model import ParticleModel

RELAXATION = 1.0  # half-cycles in which the residual strain is put on, as in the first frame of a cycled case


@dataclass(frozen=True)
class CrackingCurve:
    """Failed share of the interface length along a slow charge.

    Attributes:
        site_fraction: (n,) from the initial one down, to where the run ended.
        failed_fraction: (n,) the first entry is that of the particle at rest, before charge.
        message: why no equilibrium was found beyond the last entry; empty where the run ended as planned.
    """

    site_fraction: Floats
    failed_fraction: Floats
    message: str = ""

    def threshold(self, failed: float) -> float:
        """Site fraction at which the failed share passes `failed`, linear within the step; NaN if it never
        does, and the initial one if it has before any charge."""
        above = np.flatnonzero(self.failed_fraction > failed)
        if not above.size:
            return float("nan")
        k = int(above[0])
        if k == 0:
            return float(self.site_fraction[0])
        pair = slice(k - 1, k + 1)
        return float(np.interp(failed, self.failed_fraction[pair], self.site_fraction[pair]))

    def sampled(self, site_fractions: Floats) -> Floats:
        """(m,) failed share on the planned site fractions of the run; NaN beyond its end."""
        values = np.full(len(site_fractions), np.nan)
        values[: len(self.failed_fraction)] = self.failed_fraction
        return values


def cracking_curve(
    model: ParticleModel,
    evolution: CrackEvolution,
    site_fractions: Floats,
    stop: float = 1.0,
    failed_damage: float = 0.99,
) -> CrackingCurve:
    """Crack a particle along a slow charge.

    Args:
        model: laws of the particle, with its residual strain.
        evolution: the particle before any load.
        site_fractions: (n,) even composition at each step, from the initial one down.
        stop: failed share at which to end.
        failed_damage: damage from which an interface counts as failed.
    """
    material, cells = model.material, np.ones(model.particle.n_cells)
    parts = np.abs(np.diff(site_fractions)) / material.nominal_site_fraction_change
    failed: list[float] = []
    message = ""
    for x, part in zip(site_fractions, [RELAXATION, *parts], strict=True):
        try:
            evolution.follow(model.eigenstrain(x * cells), float(part))
        except NotConverged as failure:
            message = f"at x = {x:.3f}: {failure}"
            break
        state = evolution.state
        failed.append(failed_fraction(model.particle, state.damage, threshold=failed_damage))
        if failed[-1] >= stop:
            break
    return CrackingCurve(site_fractions[: len(failed)], np.array(failed), message)


def rms_strain(particle: Particle, strain: ArrayLike) -> float:
    """Root mean square, over the section and over all directions n, of the normal strain n . eps . n.

    It is what the broadening of diffraction lines measures in a powder. For a symmetric tensor the mean over
    directions is (2 eps : eps + (tr eps)^2) / 15. `strain` is (n_cells, 6), engineering Voigt.
    """
    return float(np.sqrt(np.average(mean_square_strain(strain), weights=particle.cell_area)))


def mean_square_strain(strain: ArrayLike) -> Floats:
    """(n_cells,) mean square of the normal strain over all directions; see `rms_strain`."""
    e = np.asarray(strain, dtype=float)
    normal, shear = e[:, :3], e[:, 3:]
    contraction = (normal**2).sum(axis=1) + (shear**2).sum(axis=1) / 2  # gamma = 2 eps, each shear twice
    return np.asarray((2 * contraction + normal.sum(axis=1) ** 2) / 15)


# ---- statistics over an ensemble


UNIFORM, CLUSTERED = "uniform", "clustered"


def joined(parts: Sequence[xr.Dataset]) -> xr.Dataset:
    """All runs of a study, on the particle of its first seed."""
    tables = [part[[name for name in part if "run" in part[name].dims]].drop_attrs() for part in parts]
    runs = xr.concat([table.reset_coords(drop=True) for table in tables], "run")
    result = parts[0].drop_dims("run").assign(runs)
    for name in runs:
        result[name].attrs = parts[0][name].attrs
    failures = "; ".join(filter(None, (part.attrs["failures"] for part in parts)))
    kept = ("failed_fraction_limit", "map_seed")
    result.attrs = {key: parts[0].attrs[key] for key in kept} | {"failures": failures}
    return result


def threshold_statistics(runs: xr.Dataset) -> dict[str, Statistic]:
    """Named numbers of a threshold study.

    `runs` holds over the dimension `run`: `seed`, `amplitude`, `arrangement` (index into its
    `flag_meanings`), `threshold_voltage`, `threshold_site_fraction` (NaN where the particle did not crack or
    the run failed), `failed_before_charge`, `cracked_before_charge`, `run_failed`.
    """
    table = _Runs(runs)
    found: dict[str, Statistic] = {
        "runs_failed": Statistic(float(runs["run_failed"].sum()), "1", count=runs.sizes["run"]),
        "runs_not_cracked": Statistic(
            float((runs["threshold_voltage"].isnull() & ~runs["run_failed"].astype(bool)).sum()),
            "1",
            count=runs.sizes["run"],
            note="reached the end of the ramp below the limit",
        ),
    }
    for arrangement in table.arrangements:
        found |= _of_arrangement(table, arrangement)
    if {UNIFORM, CLUSTERED} <= set(table.arrangements):
        found |= _of_pairs(table)
    return found


@dataclass(frozen=True)
class _Runs:
    """The runs as tables of one value for each seed and amplitude."""

    data: xr.Dataset

    @property
    def arrangements(self) -> list[str]:
        return str(self.data["arrangement"].attrs["flag_meanings"]).split()

    @property
    def amplitudes(self) -> Floats:
        found = np.unique(self.data["amplitude"].values)
        return np.asarray(found[found > 0])

    def table(self, name: str, arrangement: str, amplitudes: Floats | None = None) -> Floats:
        """(n_seeds, n_amplitudes) values, NaN where there is no such run; 0 belongs to every arrangement."""
        data, index = self.data, self.arrangements.index(arrangement)
        columns = self.amplitudes if amplitudes is None else amplitudes
        seeds = np.unique(data["seed"].values)
        found = np.full((len(seeds), len(columns)), np.nan)
        ours = (data["arrangement"].values == index) | (data["amplitude"].values == 0)
        ours &= np.isin(data["amplitude"].values, columns)
        rows = np.searchsorted(seeds, data["seed"].values[ours])
        places = np.searchsorted(columns, data["amplitude"].values[ours])
        found[rows, places] = data[name].values[ours]
        return found


def _of_arrangement(runs: _Runs, arrangement: str) -> dict[str, Statistic]:
    every = np.unique(runs.data["amplitude"].values)
    voltage = runs.table("threshold_voltage", arrangement, every)
    before = runs.table("cracked_before_charge", arrangement, every)
    failed = runs.table("run_failed", arrangement, every)
    found = {}
    for k, amplitude in enumerate(every):
        key = f"{arrangement}_at_{label(amplitude)}"
        share = before[:, k][failed[:, k] == 0]
        found[f"threshold_voltage_{key}"] = of_samples(voltage[:, k].tolist(), "V")
        found[f"share_cracked_before_charge_{key}"] = Statistic(_mean(share), "1", count=len(share))
    slopes = [_slope(every, row) for row in voltage]
    found[f"threshold_slope_{arrangement}"] = of_samples(
        slopes, "V", "threshold voltage by amplitude, straight line through each seed; mean -+ its deviation"
    )
    return found


def _of_pairs(runs: _Runs) -> dict[str, Statistic]:
    """Clustered less uniform of the same seed and amplitude: the same grains and facets."""
    found = {}
    units = {"voltage": "V", "site_fraction": "1", "failed_before_charge": "1"}
    for name, unit in units.items():
        column = name if name.startswith("failed") else f"threshold_{name}"
        gap = runs.table(column, CLUSTERED) - runs.table(column, UNIFORM)
        key = f"clustered_minus_uniform_{name}"
        found[key] = paired(_row_means(gap), unit)
        for k, amplitude in enumerate(runs.amplitudes):
            found[f"{key}_at_{label(amplitude)}"] = paired(gap[:, k], unit)
    gap = runs.table("threshold_voltage", CLUSTERED) - runs.table("threshold_voltage", UNIFORM)
    known = gap[np.isfinite(gap)]
    found["share_clustered_first"] = Statistic(_mean(known < 0), "1", count=known.size)
    found["share_uniform_first"] = Statistic(_mean(known > 0), "1", count=known.size)
    found["share_tied"] = Statistic(
        _mean(known == 0), "1", count=known.size, note="both cracked before any charge"
    )
    return found


def paired(differences: ArrayLike, unit: str) -> Statistic:
    """Mean over the pairs -+ standard deviation; the note gives the standard error of the mean."""
    found = of_samples(np.asarray(differences, dtype=float).tolist(), unit)
    if found.count < 2:
        return found
    error = (found.high - found.low) / 2 / np.sqrt(found.count)
    note = f"mean over paired seeds -+ standard deviation; standard error of the mean {error:.2g}"
    return Statistic(found.value, unit, found.low, found.high, found.count, note)


def label(amplitude: float) -> str:
    """Amplitude as part of a name: `0.2_percent`."""
    return f"{amplitude * 100:.4g}_percent"


def _slope(amplitudes: Floats, values: Floats) -> float:
    known = np.isfinite(values)
    if known.sum() < 2:
        return float("nan")
    return float(np.polyfit(amplitudes[known], values[known], 1)[0])


def _row_means(table: Floats) -> list[float]:
    return [_mean(row[np.isfinite(row)]) for row in table]


def _mean(values: ArrayLike | Sequence[float]) -> float:
    found = np.asarray(values, dtype=float)
    return float(found.mean()) if found.size else float("nan")
