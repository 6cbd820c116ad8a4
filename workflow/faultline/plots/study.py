"""The finished study as the reports see it: cases, their files, and which of them failed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import h5netcdf
import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from faultline.dataset import check_seal
from faultline.errors import UserError
from faultline.microstructure import BASAL_PLANE, GRAIN_BOUNDARY, Particle, particle_from_dataset
from faultline.observables import (
    STAGES,
    HalfCycle,
    first_charge_frames,
    frame_site_fraction,
    half_cycles,
    metric,
    read_metrics,
)
from faultline.textfiles import read_json, read_table

# of cycling.nc, over time and over stored frames
SERIES = (
    "time", "voltage", "c_rate", "cycle", "specific_capacity", "mean_site_fraction",
    "frame_time", "frame_voltage", "frame_capacity",
)  # fmt: skip


METRIC_OF_KIND = {
    "max_failed_fraction_grain_boundary": GRAIN_BOUNDARY,
    "max_failed_fraction_basal": BASAL_PLANE,
}


class StageFile:
    """A stage file from which single variables are read: a report wants few of many files.

    (xarray looks at every variable of a file to open it, which takes ten times as long.)
    """

    def __init__(self, path: Path) -> None:
        check_seal(path)
        self._file = h5netcdf.File(path, "r")
        self._path = path
        self.attrs: dict[str, Any] = dict(self._file.attrs)
        self.sizes: Mapping[str, int] = {k: d.size for k, d in self._file.dimensions.items()}

    def __getitem__(self, name: str) -> xr.DataArray:
        try:
            variable = self._file.variables[name]
        except KeyError as error:
            raise UserError(f"{self._path}: holds no {name}; delete it and run again") from error
        return xr.DataArray(variable[...], dims=variable.dimensions, attrs=dict(variable.attrs))

    def frame(self, name: str, index: int) -> NDArray[Any]:
        """Return one stored frame of a variable (frame, ...)."""
        return np.asarray(self._file.variables[name][index])

    @property
    def names(self) -> list[str]:
        """Names of all variables."""
        return list(self._file.variables)

    def pick(self, names: Iterable[str]) -> xr.Dataset:
        """Return these variables."""
        return xr.Dataset({name: self[name] for name in names}, attrs=self.attrs)


@lru_cache(maxsize=64)  # runs of a case and its control share their particle
def _particle(path: Path) -> Particle:
    file = StageFile(path)
    return particle_from_dataset(file.pick(file.names))


@dataclass(frozen=True)
class CaseResult:
    """One case with one seed: its place in the study and its files.

    Attributes:
        id: unique name, `{name}.s{seed}` where the case has several seeds.
        name: the case that the seeds share.
        title: what to call it in figures.
        seed: number of the seed, from 1.
        control: name of the case it is compared with, or None.
        material: folder name of the material.
        material_title: what to call the material in figures.
        coupling: "one_way" or "two_way".
        files: stage file by stage, and "metrics".
        parameters: material values with key, value, unit, status and source.
        front: "solid_solution" or "phase_field", how two-phase gaps were computed; None if not stated.
        front_width: width of a resolved front, m.
        life: what the study states of its life: cycles, cell, electrolyte, weakening, and settings with key,
            value, unit, status and source; empty where it states nothing.
        formula: of the material, as synthesised; empty if not stated.
        penalty_stiffness: of intact interfaces, Pa/m; None if not stated.
        lattice: lattice table and what goes with it, as `observables.diffraction.Crystal` takes them; empty
            if not stated.
        measured: files of measured curves by kind, and the `wavelength` (m) of diffraction.
    """

    id: str
    name: str
    title: str
    seed: int
    control: str | None
    material: str
    material_title: str
    coupling: str
    files: dict[str, Path]
    parameters: list[dict[str, Any]] = field(default_factory=list)
    front: str | None = None
    front_width: float | None = None
    life: dict[str, Any] = field(default_factory=dict)
    formula: str = ""
    penalty_stiffness: float | None = None
    lattice: dict[str, Any] = field(default_factory=dict)
    measured: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """Numbers and status of every stage."""
        return read_metrics(self.files["metrics"])

    @property
    def particle(self) -> Particle:
        """The meshed section."""
        return _particle(self.files["microstructure"])

    @cached_property
    def _opened(self) -> dict[str, StageFile]:
        return {}

    def data(self, stage: str) -> StageFile:
        """Return the file of a stage; it stays open with the report."""
        if stage not in self._opened:
            self._opened[stage] = StageFile(self.files[stage])
        return self._opened[stage]

    def number(self, key: str) -> float:
        """Return a metric in its unit of display; NaN where it is missing or the section lacks such faces."""
        if key in METRIC_OF_KIND and not self.has(METRIC_OF_KIND[key]):
            return math.nan
        return float(self.metrics.get(key, math.nan)) * metric(key).scale

    def has(self, kind: int) -> bool:
        """Whether the section holds faces of this kind."""
        return not self.failure("microstructure") and bool(np.any(self.particle.interface_kind == kind))

    @cached_property
    def _series(self) -> xr.Dataset:
        return self.data("cycling").pick(SERIES)

    @cached_property
    def half_cycles(self) -> list[HalfCycle]:
        """Charges and discharges of the run."""
        return half_cycles(self._series)

    @cached_property
    def first_charge(self) -> NDArray[np.int64]:
        """Stored frames of the first charge."""
        return first_charge_frames(self._series)

    @cached_property
    def frame_table(self) -> pd.DataFrame:
        """One row a stored frame: time (s), voltage (V), capacity (mAh/g), mean site fraction."""
        data = self._series
        return pd.DataFrame(
            {
                "time": data["frame_time"].values,
                "voltage": data["frame_voltage"].values,
                "capacity": data["frame_capacity"].values,
                "site_fraction": frame_site_fraction(data),
            }
        )

    def failure(self, through: str = "interface") -> str | None:
        """Return how the case failed in a stage up to and with `through`; None where it did not.

        A life comes last; a case without one does not fail in it.
        """
        stages = (*STAGES, "life")
        for stage in stages[: stages.index(through) + 1]:
            status = self.metrics.get(f"{stage}_status", "ok")
            if status != "ok":
                message = self.metrics.get(f"{stage}_status_message", "")
                return f"{stage} {status.replace('_', ' ')}" + (f": {message}" if message else "")
        return None


@dataclass(frozen=True)
class Study:
    """All cases of a study, its comparisons and how its figures should look."""

    title: str
    cases: tuple[CaseResult, ...]
    comparisons: pd.DataFrame
    colormap: str = "viridis"
    diverging_colormap: str = "RdBu_r"
    dpi: int = 110

    @property
    def names(self) -> list[str]:
        """Names of the cases, seeds taken together, in the order of the study."""
        return list(dict.fromkeys(case.name for case in self.cases))

    def seeds(self, name: str) -> list[CaseResult]:
        """Return the runs of a case, one a seed."""
        return sorted((case for case in self.cases if case.name == name), key=lambda case: case.seed)

    def first(self, name: str) -> CaseResult:
        """Return the run of a case that maps show: its first seed, whether it ended well or not."""
        return self.seeds(name)[0]

    def titles(self) -> dict[str, str]:
        """Return the title of every case by name."""
        return {name: self.first(name).title for name in self.names}

    def families(self) -> dict[str, list[str]]:
        """Return names by material: what is compared with one another and shares axes."""
        groups: dict[str, list[str]] = {}
        for name in self.names:
            groups.setdefault(self.first(name).material, []).append(name)
        return groups

    def groups(self) -> list[list[str]]:
        """Return names of cases that controls link, directly or through others, to be set side by side."""
        groups: list[list[str]] = []
        for name in self.names:
            control = self.first(name).control
            linked = [g for g in groups if control in g or any(self.first(n).control == name for n in g)]
            groups = [g for g in groups if g not in linked] + [[n for g in linked for n in g] + [name]]
        order = self.names.index
        return sorted((sorted(group, key=order) for group in groups), key=lambda group: order(group[0]))

    def failed(self) -> list[CaseResult]:
        """Return the runs in which a stage did not end well."""
        return [case for case in self.cases if case.failure()]

    def with_life(self) -> list[str]:
        """Return the names of cases that were cycled over a life."""
        return [name for name in self.names if any("life" in case.files for case in self.seeds(name))]

    def metrics(self) -> dict[str, dict[str, Any]]:
        """Return the metrics of every run by id."""
        return {case.id: case.metrics for case in self.cases}


def load_study(manifest: str | Path) -> Study:
    """Read the manifest that the workflow writes for the reports; its paths start at the working folder.

    Raises:
        UserError: the manifest is missing or lacks a key.
    """
    path = Path(manifest)
    try:
        content = read_json(path)
        cases = tuple(_case(entry) for entry in content["cases"])
        comparisons, plots = content.get("comparisons"), content.get("plots", {})
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path}: not a manifest of a study ({type(error).__name__}: {error}); "
            "run the workflow's reports target, which writes it"
        ) from error
    table = (
        read_table(comparisons) if comparisons and Path(comparisons).stat().st_size > 1 else pd.DataFrame()
    )
    known = {key: plots[key] for key in ("colormap", "diverging_colormap", "dpi") if key in plots}
    return Study(content.get("study", {}).get("title", "Study"), cases, table, **known)


def _case(entry: dict[str, Any]) -> CaseResult:
    return CaseResult(
        id=entry["id"],
        name=entry["name"],
        title=entry.get("title") or entry["name"],
        seed=int(entry.get("seed") or 1),
        control=entry.get("control"),
        material=entry["material"],
        material_title=entry.get("material_title") or entry["material"],
        coupling=entry["coupling"],
        files={stage: Path(file) for stage, file in entry["files"].items() if file},
        parameters=entry.get("parameters", []),
        front=entry.get("front"),
        front_width=entry.get("front_width"),
        life=entry.get("life") or {},
        formula=entry.get("formula") or "",
        penalty_stiffness=entry.get("penalty_stiffness"),
        lattice=entry.get("lattice") or {},
        measured=entry.get("measured") or {},
    )


def split_failed(
    cases: Iterable[CaseResult], through: str = "interface"
) -> tuple[list[CaseResult], list[CaseResult]]:
    """Return the cases that ended well up to a stage, and the others."""
    parts: tuple[list[CaseResult], list[CaseResult]] = ([], [])
    for case in cases:
        parts[case.failure(through) is not None].append(case)
    return parts
