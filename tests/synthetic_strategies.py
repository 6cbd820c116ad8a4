"""A made-up catalogue of strategies in the shape of a real one; nothing here is a result."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import xarray as xr

from faultline.dataset import write_dataset
from faultline.life.record import SERIES
from faultline.observables.strategies import Entry, strategy_statistics, strategy_table
from faultline.observables.strategy_quantities import FIRST_CYCLE, QUANTITIES, SAMPLES, life_quantities
from faultline.statistics import write_statistics

SIMULATED = 4


@dataclass(frozen=True)
class MadeStrategy:
    """One made-up strategy: how much cracks, what it gives back, and how far it fades."""

    name: str
    title: str
    group: str = "electronic"
    control: str | None = None
    reference: int | None = None
    cycles: int | None = None
    stated_cycles: int | None = None
    levers: tuple[str, ...] = ()
    cracked: float = 0.3
    capacity: float = 120.0
    polarisation: float = 0.08
    kept: float = 0.9
    failed: tuple[int, ...] = ()  # seeds without a solution
    words: dict[str, object] = field(default_factory=dict)  # beside the entry: host, formula, coating, ...

    @property
    def entry(self) -> Entry:
        references = (self.reference,) if self.reference else ()
        stated = self.stated_cycles or self.cycles
        return Entry(
            self.title, self.group, self.control, references, self.cycles, stated, "made-up", self.levers
        )


def made_runs(made: MadeStrategy, seeds: int, ends: Sequence[int] = ()) -> xr.Dataset:
    """Runs as `strategy_runs` writes them, less the frames; `ends` are cycles that its strategies look at."""
    noise = np.random.default_rng(len(made.name)).normal(0, 0.01, seeds)
    lost = np.isin(np.arange(1, seeds + 1), made.failed)
    values = dict.fromkeys(FIRST_CYCLE, 0.01) | {
        "failed_fraction": made.cracked,
        "surface_cracked_fraction": made.cracked / 2,
        "discharge_capacity": made.capacity,
        "polarisation": made.polarisation,
    }
    data = {
        name: ("seed", np.where(lost, np.nan, value * (1 + noise)), {"units": FIRST_CYCLE[name].unit})
        for name, value in values.items()
    }
    data |= {
        "run_failed": ("seed", lost.astype(np.int8)),
        "message": ("seed", np.where(lost, "diverged", "")),
    }
    runs = xr.Dataset(data, coords={"seed": np.arange(1, seeds + 1)})
    return runs.merge(_curve(made, seeds, lost)).merge(_life(made, noise, lost, ends))


def _curve(made: MadeStrategy, seeds: int, lost: np.ndarray) -> xr.Dataset:
    share = np.linspace(0, 1, SAMPLES // 2)
    passed = made.capacity * np.concatenate([share, share[::-1]])
    voltage = np.concatenate([3 + share + made.polarisation, 4 - share])
    blank = np.where(lost, np.nan, 1.0)[:, None]
    sign = np.repeat([1.0, -1.0], SAMPLES // 2)
    columns = {"voltage": voltage, "specific_capacity": passed, "mean_site_fraction": 1 - passed / 250}
    found = {name: (("seed", "sample"), blank * column) for name, column in columns.items()}
    return xr.Dataset(found | {"c_rate_sign": (("seed", "sample"), np.tile(sign, (seeds, 1)))})


def _life(made: MadeStrategy, noise: np.ndarray, lost: np.ndarray, ends: Sequence[int]) -> xr.Dataset:
    last = max([made.cycles or 1, *ends])
    cycle = np.unique([*np.linspace(1, last, SIMULATED).astype(int), *ends, made.cycles or 1])
    share = (cycle - 1) / max(last - 1, 1)
    series = dict.fromkeys(SERIES, 0.05 * np.ones_like(share)) | {
        "discharge_capacity": made.capacity * (1 - (1 - made.kept) * share),
        "failed_fraction": made.cracked * (1 + 0.2 * share),
        "surface_cracked_fraction": 0.5 * made.cracked * (1 + share) / 2,
        "failed_fraction_basal": 0.3 * made.cracked * np.ones_like(share),
        "polarisation": made.polarisation * (1 + share),
    }
    growing = 1 + np.outer(noise, share)
    columns = {name: values * growing for name, values in series.items()} | {"cycle": cycle + 0 * growing}
    runs = xr.Dataset(
        {
            f"life_{name}": (("seed", "simulated"), np.where(lost[:, None], np.nan, values))
            for name, values in columns.items()
        },
        coords={"seed": np.arange(1, len(noise) + 1)},
    )
    for name, values in life_quantities(runs, made.cycles).items():
        runs[name] = ("seed", values, {"units": QUANTITIES[name].unit})
    return runs


def write_catalogue(folder: Path, catalogue: list[MadeStrategy], seeds: int = 5) -> Path:
    """Write runs, table, named numbers and a manifest; returns the manifest."""
    looked_at = {
        made.name: [other.cycles for other in catalogue if other.control == made.name and other.cycles]
        for made in catalogue
    }
    runs = {made.name: made_runs(made, seeds, looked_at[made.name]) for made in catalogue}
    for name, ds in runs.items():
        write_dataset(ds, folder / "strategies" / f"{name}.nc", {})
    entries = {made.name: made.entry for made in catalogue}
    table = strategy_table(runs, entries)
    table.to_csv(folder / "strategies.csv", index=False)
    write_statistics(strategy_statistics(runs, table), folder / "strategies.json")
    listed = {
        "name": "made-up",
        "title": "Made-up strategies",
        "comment": "No number here means anything.",
        "seeds": seeds,
        "overrides": {"microstructure": {"grains": {"count": 13}, "element_size": "0.3 um"}},
        "table": str(folder / "strategies.csv"),
        "statistics": str(folder / "strategies.json"),
        "strategies": {
            made.name: asdict(made.entry)
            | {"runs": str(folder / "strategies" / f"{made.name}.nc")}
            | made.words
            for made in catalogue
        },
    }
    manifest = folder / "manifest.json"
    manifest.write_text(json.dumps({"catalogue": listed, "plots": {"dpi": 50}}))
    return manifest
