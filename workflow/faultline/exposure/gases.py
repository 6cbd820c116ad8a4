"""A study of gases as files: a dataset for figures, a table for people, named numbers for claims."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy.stats import rankdata

from faultline.exposure.compare import GasCourse, GasOutcome
from faultline.provenance import DIVERGED, OK
from faultline.statistics import Statistic

Array = NDArray[np.float64]
FIRST_FRAME = 1e-4  # of the longest time: seconds, where the film is still fresh
LATE_FACTOR = 4.0  # diffusion alone doubles what is lost from a quarter of the time to all of it

# name: unit, what it is
QUANTITIES: dict[str, tuple[str, str]] = {
    "layer_thickness": ("m", "thickness of the reaction layer"),
    "film_resistance": ("ohm m2", "resistance of the layer"),
    "film_conductance": ("S m-2", "conductance of the layer; infinite without one"),
    "layer_alkali": ("1", "alkali left in the layer, per site"),
    "layer_proton": ("1", "protons in the layer, per site"),
    "layer_vacancy": ("1", "vacancies in the layer, per site"),
    "layer_rock_salt": ("1", "rock salt in the layer, per site"),
    "surface_proton": ("1", "protons in the outermost cell, per formula unit"),
    "surface_rock_salt": ("1", "rock salt in the outermost cell, per formula unit"),
    "mismatch_strain_c": ("1", "stress-free strain of the layer along c"),
    "mismatch_strain_ab": ("1", "stress-free strain of the layer across c"),
    "strength_factor": ("1", "strength left of a grain boundary at the surface"),
    "toughness_factor": ("1", "toughness left of a grain boundary at the surface"),
    "boundary_reach": ("m", "depth to which grain boundaries are attacked"),
    "residual_alkali": ("percent", "residual alkali by mass of the particle"),
    "residual_hydroxide": ("percent", "hydroxide by mass of the particle"),
    "residual_carbonate": ("percent", "carbonate by mass of the particle"),
    "adhesion_index": ("1", "adhesion left of the binder"),
    "alkali_lost": ("1", "share of the particle's alkali that left the oxide"),
    "alkali_returned": ("1", "share of the lost alkali that drying gave back"),
    "place_of_proton": ("1", "share of the particle's alkali sites that protons took"),
    "place_of_vacancy": ("1", "share of the particle's alkali sites left empty"),
    "place_of_rock_salt": ("1", "share of the particle's alkali sites turned to rock salt"),
    "dried_layer_thickness": ("m", "thickness of the layer after drying"),
    "dried_residual_alkali": ("percent", "residual alkali after drying"),
    "alkali_in_core": ("1", "share of the alkali in the oxide behind the layer"),
    "alkali_in_layer": ("1", "share of the alkali in the layer"),
    "alkali_in_hydroxide": ("1", "share of the alkali in hydroxide"),
    "alkali_in_carbonate": ("1", "share of the alkali in carbonate"),
    "balance_error": ("1", "alkali gained or lost, of what the particle held; worse of stored and dried"),
}
SERIES = {
    "course_layer_thickness": ("layer_thickness", "m", "thickness of the reaction layer"),
    "course_alkali_lost": ("alkali_lost", "1", "share of the particle's alkali that left the oxide"),
    "course_residual_alkali": ("residual_alkali", "percent", "residual alkali by mass of the particle"),
    "course_surface_proton": ("surface_proton", "1", "protons in the outermost cell, per formula unit"),
    "course_surface_rock_salt": (
        "surface_rock_salt",
        "1",
        "rock salt in the outermost cell, per formula unit",
    ),
}
PROFILES = {
    "proton_profile": ("exposure_depth", "protons over the depth, per formula unit"),
    "rock_salt_profile": ("exposure_depth", "rock salt over the depth, per formula unit"),
    "kept": ("drying_time", "alkali outside over its amount before drying"),
}


@dataclass(frozen=True)
class Hours:
    """Times (s) of a study: the equal one, and by gas that of its source where it has one."""

    equal: float
    stated: Mapping[str, float]

    def of(self, gases: Iterable[str]) -> dict[str, list[float]]:
        """Times at which each gas is judged."""
        return {gas: sorted({self.equal, self.stated.get(gas, self.equal)}) for gas in gases}

    def curve(self, frames: int) -> Array:
        """Times of the curves: even in the logarithm, and all at which something is judged."""
        judged = [self.equal, *self.stated.values()]
        curve = np.geomspace(FIRST_FRAME * max(judged), max(judged), frames)
        return np.concatenate([curve, judged, [self.equal / LATE_FACTOR]])


def gas_dataset(courses: Sequence[GasCourse], hours: Hours) -> xr.Dataset:
    """Everything of a study: scalars over `outcome`, courses over (gas, time), profiles over the depth."""
    ds = xr.Dataset(coords={"gas": ("gas", [course.gas for course in courses])})
    solved = [course for course in courses if not course.failure]
    rows = [(course, outcome) for course in courses for outcome in _outcomes(course, hours)]
    ds["outcome_gas"] = ("outcome", [course.gas for course, _ in rows])
    ds["duration"] = ("outcome", [duration for _, (duration, _) in rows], {"units": "s"})
    ds["is_equal"] = ("outcome", np.array([duration == hours.equal for _, (duration, _) in rows]))
    ds["is_stated"] = (
        "outcome",
        np.array([duration == hours.stated.get(course.gas) for course, (duration, _) in rows]),
    )
    found = [outcome for _, (_, outcome) in rows]
    for name, (units, long_name) in QUANTITIES.items():
        values = [math.nan if outcome is None else quantity(outcome, name) for outcome in found]
        ds[name] = ("outcome", np.array(values, dtype=float), {"units": units, "long_name": long_name})
    for name, (dimension, long_name) in PROFILES.items():
        arrays = [None if outcome is None else getattr(outcome, name) for outcome in found]
        ds[name] = (("outcome", dimension), _stacked(arrays), {"units": "1", "long_name": long_name})
    for name, (attribute, units, long_name) in SERIES.items():
        arrays = [None if course.failure else getattr(course, attribute) for course in courses]
        ds[name] = (("gas", "time"), _stacked(arrays), {"units": units, "long_name": long_name})
    if solved:
        for dimension, attribute in (
            ("time", "time"),
            ("exposure_depth", "depth"),
            ("drying_time", "drying_time"),
        ):
            units = "m" if attribute == "depth" else "s"
            ds[dimension] = (dimension, getattr(solved[0], attribute), {"units": units})
    failures = [f"{course.gas}: {course.failure}" for course in courses if course.failure]
    return ds.assign_attrs(
        status=DIVERGED if failures else OK,
        status_message="; ".join(failures),
        equal_duration=hours.equal,
    )


def _outcomes(course: GasCourse, hours: Hours) -> list[tuple[float, GasOutcome | None]]:
    """Durations and outcomes of a gas; None for those that a failed run owes."""
    if not course.failure:
        return [(outcome.duration, outcome) for outcome in course.outcomes]
    return [(duration, None) for duration in hours.of([course.gas])[course.gas]]


def quantity(outcome: GasOutcome, name: str) -> float:
    """A number of an outcome by its name in `QUANTITIES`."""
    if name == "film_conductance":
        return 1 / outcome.film_resistance if outcome.film_resistance > 0 else math.inf
    if name.startswith("alkali_in_"):
        return float(getattr(outcome.ledger, name.removeprefix("alkali_in_")))
    return float(getattr(outcome, name))


def _stacked(arrays: Sequence[Array | None]) -> Array:
    """(n, k), rows of NaN where there is none."""
    length = max((len(array) for array in arrays if array is not None), default=0)
    return np.array([np.full(length, np.nan) if array is None else array for array in arrays]).reshape(
        len(arrays), length
    )


def gas_table(ds: xr.Dataset) -> pd.DataFrame:
    """One row a gas and time, with units in the headings."""
    table = pd.DataFrame(
        {
            "gas": ds["outcome_gas"].values,
            "duration (h)": ds["duration"].values / 3600,
            "equal time": ds["is_equal"].values,
            "time of the source": ds["is_stated"].values,
        }
    )
    for name, (units, _) in QUANTITIES.items():
        table[name if units == "1" else f"{name} ({units})"] = ds[name].values
    return table


def gas_statistics(ds: xr.Dataset) -> dict[str, Statistic]:
    """Named numbers of a study, of gases written with underscores.

    `{quantity}_{gas}` at the equal time and `{quantity}_{gas}_stated` at that of the source; `ranking_{gas}`
    (1 lost the most alkali at the equal time), `late_growth_{gas}` (alkali lost at the equal time over that
    at a quarter of it: 2 for diffusion, 1 for an exchange that has stopped), `worst_balance_error` and
    `runs_failed`.
    """
    found: dict[str, Statistic] = {}
    for row in range(ds.sizes["outcome"]):
        slug = str(ds["outcome_gas"].values[row]).replace("-", "_")
        for flag, ending in (("is_equal", ""), ("is_stated", "_stated")):
            if ds[flag].values[row]:
                found |= {
                    f"{name}_{slug}{ending}": _single(ds[name].values[row], units, long_name)
                    for name, (units, long_name) in QUANTITIES.items()
                }
    lost = {gas: found[f"alkali_lost_{slug}"].value for gas, slug in _slugs(ds)}
    ranks = rankdata([-value for value in lost.values()], method="min", nan_policy="omit")
    for (gas, slug), rank in zip(_slugs(ds), ranks, strict=True):
        found[f"ranking_{slug}"] = _single(float(rank), "1", "1 lost the most alkali at the equal time")
        found[f"late_growth_{slug}"] = _single(
            _late_growth(ds, gas), "1", "alkali lost at the equal time over that at a quarter of it"
        )
    errors = ds["balance_error"].values
    worst = float(np.max(errors)) if np.isfinite(errors).all() else math.nan
    found["worst_balance_error"] = _single(worst, "1", "of what the particle held")
    failed = np.isnan(ds["course_alkali_lost"].values).all(axis=1)
    found["runs_failed"] = Statistic(float(failed.sum()), "1", count=len(failed))
    return found


def _slugs(ds: xr.Dataset) -> list[tuple[str, str]]:
    return [(str(gas), str(gas).replace("-", "_")) for gas in ds["gas"].values]


def _single(value: float, units: str, note: str) -> Statistic:
    plain = {"percent": "%"}.get(units, units)
    return Statistic(float(value), plain, count=int(math.isfinite(value)), note=note)


def _late_growth(ds: xr.Dataset, gas: str) -> float:
    if "time" not in ds.coords:
        return math.nan
    end = ds.attrs["equal_duration"]
    lost = ds["course_alkali_lost"].sel(gas=gas).values
    early, late = np.interp([end / LATE_FACTOR, end], ds["time"].values, lost)
    return float(late / early) if early > 0 else math.nan
