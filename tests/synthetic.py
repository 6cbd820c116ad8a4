"""Made-up stage files in the shape of real ones, for tests of observables, figures and notebooks.

The numbers follow simple formulas (alkali leaves from the rim, the rim is in tension on charge, damage grows
with the charge passed); nothing here is a result.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from scipy.spatial import Delaunay, cKDTree

from faultline.dataset import ugrid, write_dataset
from faultline.microstructure import (
    BASAL_PLANE,
    GRAIN_BOUNDARY,
    Particle,
    assemble_particle,
    particle_dataset,
    rectangle_particle,
)
from faultline.observables import case_metrics, compare_pairs, distance_to_surface, write_metrics

PROVENANCE = {
    "config_hash": "0f1e2d3c4b5a",
    "code_hash": "a5b4c3d2e1f0",
    "library_version": "0.1.0",
    "git_state": "abcdef0",
    "lock_hash": "123456789abc",
    "seed": 1,
    "solver": "superlu",
    "wall_time_s": 1.0,
    "created": "2025-01-01T00:00:00",
}


@dataclass(frozen=True)
class Made:
    """One made-up case: how far it is charged, how much of it cracks, and what the air did to it."""

    name: str
    title: str
    material: str
    seeds: int = 1
    control: str | None = None
    platelet: bool = False
    lowest: float = 0.3  # mean site fraction at the end of charge
    cracked: float = 0.3  # failed fraction at the end of charge
    layer: float = 0.0  # m
    weaken: bool = True
    coupling: str = "one_way"
    diverged: tuple[int, ...] = ()  # seeds whose cycling diverged
    front: bool = False  # two phases part halfway through the charge, the poor one grows from the left
    cycles: int = 0  # of its life; 0 for none
    weakening: bool = True  # let corrosion make the cracks of the life grow faster
    electrolyte: str | None = "carbonate-baseline"
    cell: str = "half_cell"
    life_diverged: tuple[int, ...] = ()  # seeds whose life diverged


STUDY = (
    Made(
        "p2-nnm",
        "P2-NNM through P2-O2",
        "p2-nnm",
        5,
        control="p2-nnm-4v0",
        lowest=0.05,
        cracked=0.55,
        coupling="two_way",
    ),
    Made("p2-nnm-4v0", "P2-NNM stopped at 4.0 V", "p2-nnm", 5, lowest=0.35, cracked=0.05, coupling="two_way"),
    Made(
        "p2-nnm-platelet",
        "P2-NNM platelet, single crystal",
        "p2-nnm",
        1,
        platelet=True,
        lowest=0.05,
        cracked=0.4,
        coupling="two_way",
    ),
    Made("o3-nm", "O3-NaNi1/2Mn1/2O2", "o3-nm", 1, lowest=0.15, cracked=0.35),
    Made(
        "o3-nfm-humid",
        "O3-NFM after 48 h of humid air",
        "o3-nfm",
        5,
        control="o3-nfm-dry",
        layer=60e-9,
        cracked=0.3,
    ),
    Made(
        "o3-nfm-humid-unweakened",
        "O3-NFM after humid air, strength kept",
        "o3-nfm",
        5,
        control="o3-nfm-dry",
        layer=60e-9,
        weaken=False,
        cracked=0.2,
    ),
    Made("o3-nfm-dry", "O3-NFM kept dry", "o3-nfm", 5, cracked=0.15),
    Made("nmc811", "NMC811 secondary particle", "nmc811", 2, lowest=0.25, cracked=0.2, diverged=(2,)),
)

COMPARISONS = (
    {
        "name": "p2-o2-cracks-more",
        "case": "p2-nnm",
        "control": "p2-nnm-4v0",
        "metric": "max_failed_fraction",
        "expect": "greater",
    },
    {
        "name": "humid-cracks-more",
        "case": "o3-nfm-humid",
        "control": "o3-nfm-dry",
        "metric": "max_failed_fraction",
        "expect": "greater",
    },
    {
        "name": "humid-holds-less",
        "case": "o3-nfm-humid",
        "control": "o3-nfm-dry",
        "metric": "first_charge_capacity",
        "expect": "less",
    },
    {
        "name": "feedback-damages-more",
        "case": "on",
        "control": "off",
        "metric": "life_damage_growth",
        "expect": "greater",
    },
    {
        "name": "nmc-cracks-more",
        "case": "nmc811",
        "control": "o3-nfm-dry",
        "metric": "max_failed_fraction",
        "expect": "greater",
    },
)


def disc(
    n_grains: int = 8, rings: int = 9, radius: float = 2.5e-6, spacing: float | None = 0.6e-6, seed: int = 1
):
    """A triangulated disc whose cells belong to the nearest of some grain centres, cut by basal planes."""
    rng = np.random.default_rng(seed)
    points = [np.zeros((1, 2))]
    for k in range(1, rings + 1):
        angle = 2 * np.pi * (np.arange(6 * k) + 0.5 * (k % 2)) / (6 * k)
        points.append(radius * k / rings * np.stack([np.cos(angle), np.sin(angle)], axis=1))
    vertices = np.concatenate(points)
    cells = Delaunay(vertices).simplices
    corners = vertices[cells]
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    cells = cells[np.abs(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]) > 1e-6 * radius**2]
    centroid = vertices[cells].mean(axis=1)
    centres = radius * np.sqrt(rng.uniform(0, 1, (n_grains, 1))) * _unit(rng.uniform(0, 2 * np.pi, n_grains))
    grain = np.unique(cKDTree(centres).query(centroid)[1], return_inverse=True)[1]
    angle = rng.uniform(0, np.pi, grain.max() + 1)
    normal = _unit(angle)  # of the basal planes, the crystal's c axis
    layer = np.zeros(len(cells), int)
    if spacing:
        layer = np.floor(np.einsum("ij,ij->i", normal[grain], centroid) / spacing).astype(int) + 500
    c = np.column_stack([normal, np.zeros(len(normal))])
    a = np.column_stack([-normal[:, 1], normal[:, 0], np.zeros(len(normal))])
    orientation = np.stack([a, np.cross(c, a), c], axis=2)
    return assemble_particle(vertices, cells, grain, grain * 1000 + layer, orientation)


def platelet() -> Particle:
    """A single crystal, 4 by 1.5 um, with horizontal basal planes."""
    return rectangle_particle(
        (4e-6, 1.5e-6), (24, 9), block_of=lambda p: np.floor(p[:, 1] / 0.25e-6).astype(int)
    )


def exposure_dataset(particle: Particle, made: Made, rng: np.random.Generator) -> xr.Dataset:
    """Air: protons and less alkali near the surface, weaker interfaces there."""
    depth = distance_to_surface(particle, particle.cell_centroid)
    at_interface = distance_to_surface(particle, particle.interface_midpoint)
    share = made.layer / 60e-9
    near, hours = np.exp(-depth / 0.3e-6), np.linspace(0, 48, 25)
    ds = ugrid(particle)
    weak = 1 - 0.4 * share * made.weaken * np.exp(-at_interface / 0.5e-6)
    mismatch = np.zeros((particle.n_cells, 6))
    mismatch[:, :3] = 0.008 * (share * near)[:, None]
    ds["initial_site_fraction"] = ("cell", 1 - 0.2 * share * near)
    ds["mismatch_strain"] = (("cell", "voigt"), mismatch)
    ds["proton_fraction"] = ("cell", 0.15 * share * near)
    ds["film_resistance"] = ("surface", np.full(particle.n_surface, 0.01 * share))
    ds["layer_thickness"] = (
        "surface",
        made.layer * (1 + 0.1 * share * rng.uniform(-1, 1, particle.n_surface)),
    )
    ds["strength_factor"], ds["toughness_factor"] = ("interface", weak), ("interface", weak**2)
    ds = ds.assign_coords(exposure_time=hours * 3600)
    ds["mean_layer_thickness"] = ("exposure_time", made.layer * np.sqrt(hours / 48))
    ds["residual_alkali"] = ("exposure_time", 1.4 * share * np.sqrt(hours / 48))
    ds.attrs = {"residual_alkali_wt_percent": 1.4 * share, "alkali_lost_fraction": 0.03 * share}
    return ds


def cycling_dataset(particle: Particle, made: Made, n_frames: int = 24) -> xr.Dataset:
    """Charge at C/10 with a hold, rest and discharge; series over time and frames of the fields."""
    steps = [("charge", 0.1, 60), ("hold", 0.03, 8), ("rest", 0.0, 4), ("discharge", -0.1, 60)]
    rate = np.concatenate([[0.0], *(np.full(n, r) for _, r, n in steps)])
    index = np.concatenate([[0], *(np.full(n, k) for k, (_, _, n) in enumerate(steps))])
    swing = 1.0 - made.lowest
    moved = np.concatenate(
        [
            np.zeros(1),
            np.linspace(0, 0.97, 61)[1:],
            np.linspace(0.97, 1, 9)[1:],
            np.ones(4),
            np.linspace(1, 0.06, 61)[1:],
        ]
    )
    x = 1.0 - swing * moved
    open_circuit = 2.6 + 1.75 * (1 - x) - 0.12 * np.tanh((x - 0.55) / 0.03)
    voltage = np.where(
        index == 1, (open_circuit + 0.05)[60], open_circuit + 0.5 * np.where(index == 1, 0, rate)
    )
    time = np.concatenate([[0], np.cumsum(np.where(rate[1:] == 0, 900.0, 480.0))])
    frames = np.unique(np.concatenate([np.linspace(0, len(time) - 1, n_frames).astype(int), [60, 68]]))
    ds = ugrid(particle).assign_coords(time=("time", time))
    series = {
        "voltage": voltage,
        "c_rate": rate,
        "mean_site_fraction": x,
        "specific_capacity": 240 * (1 - x),
        "step_index": index,
        "cycle": np.ones(len(time), int),
        "max_drift_voltage": (0.35 if made.coupling == "two_way" else 0.04) * moved,
        "mass_balance_error": np.full(len(time), 3e-13),
    }
    for name, values in series.items():
        ds[name] = ("time", values)
    depth = distance_to_surface(particle, particle.cell_centroid)
    rim = np.exp(-depth / 0.6e-6) - 0.25
    noise = np.random.default_rng(7).normal(0, 1, particle.orientation.shape[0])[particle.grain]
    field = np.clip(x[frames, None] - 0.08 * np.sign(rate[frames])[:, None] * rim + 0.01 * noise, 0, 1)
    if made.front:
        field = np.where(x[frames, None] < 0.6, _front(particle, x[frames], made.lowest), field)
    stress = 1e8 * (1 - x[frames, None]) * (1.5 * rim + 0.6 * noise)
    ds["frame_time"], ds["frame_voltage"] = ("frame", time[frames]), ("frame", voltage[frames])
    ds["frame_capacity"], ds["frame_c_rate"] = ("frame", 240 * (1 - x[frames])), ("frame", rate[frames])
    ds["site_fraction"], ds["hydrostatic_stress"] = (("frame", "cell"), field), (("frame", "cell"), stress)
    ds["first_principal_stress"] = (("frame", "cell"), stress + 5e7)
    ds["axial_strain"] = ("frame", -0.01 * (1 - x[frames]))
    phase = np.digitize(1 - field, [0.3, 0.6])
    ds["phase"] = (("frame", "cell"), phase.astype("int8"), {"flag_meanings": "O3 P3 O3'"})
    return ds


def _front(particle: Particle, mean: np.ndarray, low: float, high: float = 0.65) -> np.ndarray:
    """Return (n_frames, n_cells) compositions `low` on the left and `high` on the right with these means."""
    across = particle.cell_centroid[:, 0]
    share = (across - across.min()) / np.ptp(across)
    reach = ((high - mean) / (high - low))[:, None]
    return low + (high - low) * 0.5 * (1 + np.tanh((share - reach) / 0.05))


def crack_dataset(
    particle: Particle, made: Made, cycling: xr.Dataset, rng: np.random.Generator
) -> xr.Dataset:
    """Interfaces fail one after the other, at random, once half of the charge has passed, and stay so."""
    x = np.interp(cycling["frame_time"], cycling["time"], cycling["mean_site_fraction"])
    passed = np.maximum.accumulate((1 - x) / (1 - made.lowest))
    share = made.cracked * np.clip((passed - 0.5) / 0.5, 0, 1) * rng.uniform(0.9, 1.1)
    rank = np.argsort(np.argsort(rng.uniform(0, 1, particle.n_interfaces))) / max(particle.n_interfaces, 1)
    damage = np.clip((share[:, None] - rank) / 0.05 + 1, 0, 1) * (share[:, None] > 0)
    length = particle.interface_length
    failed = damage >= 0.99
    opening = 40e-9 * failed * (share[:, None] - rank).clip(0) / max(made.cracked, 1e-9)
    ds = ugrid(particle)
    ds["damage"], ds["opening"] = (("frame", "interface"), damage), (("frame", "interface"), opening)
    ds["slip"] = (("frame", "interface"), 0.2 * opening)
    total = length.sum()
    series = {
        "failed_fraction": failed @ length / total,
        "failed_fraction_grain_boundary": _share(failed, length, particle.interface_kind == GRAIN_BOUNDARY),
        "failed_fraction_basal": _share(failed, length, particle.interface_kind == BASAL_PLANE),
        "failed_length": failed @ length,
        "opening_area": opening @ length,
        "surface_connected_length": 0.6 * (failed @ length),
        "fragments": 1 + np.round(10 * share),
        "elastic_energy": 1e-6 * passed,
        "fracture_energy": failed @ length * 1.0,
        "viscous_work": 0.03 * (failed @ length),
        "frame_voltage": cycling["frame_voltage"].values,
        "frame_mean_site_fraction": x,
    }
    for name, values in series.items():
        ds[name] = ("frame", np.asarray(values, float))
    cracked = np.flatnonzero(failed.any(axis=1))
    first = {"voltage": np.nan, "site_fraction": np.nan}
    if cracked.size:
        first = {"voltage": float(ds["frame_voltage"][cracked[0]]), "site_fraction": float(x[cracked[0]])}
    ds.attrs = {f"first_crack_{key}": value for key, value in first.items()}
    ds.attrs["failed_damage"] = 0.99
    ds.attrs["max_failed_fraction"] = float(ds["failed_fraction"].max())
    return ds


def interface_dataset(particle: Particle, cracks: xr.Dataset) -> xr.Dataset:
    """Electrolyte in every failed interface within 1.5 um of the surface; deeper corrosion farther out."""
    depth = distance_to_surface(particle, particle.interface_midpoint)
    wetted = (cracks["damage"].values[-1] >= 0.99) & (depth < 1.5e-6)
    ds = ugrid(particle)
    corroded = np.where(wetted, 3e-9 * np.exp(-depth / 1e-6), 0.0)
    ds["wetted"], ds["corroded_depth"] = ("interface", wetted), ("interface", corroded)
    ds["surface_layer_thickness"] = ("surface", np.full(particle.n_surface, 4e-9))
    ds["film_resistance"] = ("surface", np.full(particle.n_surface, 0.02))
    ds["strength_factor"] = ds["toughness_factor"] = ("interface", 1 - corroded / 1e-8)
    ds["wetted_length"] = ((), float(particle.interface_length[wetted].sum()))
    ds.attrs = {"transition_metal_loss": 1e-4, "alkali_loss": 4e-4}
    return ds


def life_dataset(particle: Particle, made: Made, rng: np.random.Generator) -> xr.Dataset:
    """Damage grows with the logarithm of the cycle, faster where corrosion weakens; capacity falls."""
    cycle = simulated_cycles(made.cycles, rng.uniform(1.4, 1.6))
    grown = np.log(cycle) * (0.04 if made.weakening and made.electrolyte else 0.03) * rng.uniform(0.95, 1.05)
    damage = 0.1 + grown
    wetted = 0.6 * damage if made.electrolyte else np.zeros(len(cycle))
    layer = 2e-9 * np.sqrt(cycle) if made.electrolyte else np.zeros(len(cycle))
    lost = 0.002 * cycle if made.cell == "full_cell" else np.zeros(len(cycle))
    series = {
        "cycle": cycle,
        "jumped": np.diff(cycle, prepend=0) - 1,
        "jump_error": np.where(np.diff(cycle, prepend=0) > 1, 0.4, 0.0),
        "charge_capacity": 151 - 40 * grown - 100 * lost,
        "discharge_capacity": 150 - 40 * grown - 100 * lost,
        "mean_charge_voltage": 3.6 + 0.1 * grown,
        "mean_discharge_voltage": 3.55 - 0.1 * grown,
        "coulombic_efficiency": (150 - 40 * grown - 100 * lost) / (151 - 40 * grown - 100 * lost),
        "polarisation": 0.05 + 0.2 * grown,
        "failed_fraction": 0.8 * damage,
        "failed_fraction_grain_boundary": damage,
        "failed_fraction_basal": 0.5 * damage,
        "failed_fraction_shell": np.full(len(cycle), np.nan),
        "surface_cracked_fraction": 0.7 * damage,
        "mean_damage": damage,
        "wetted_fraction": wetted,
        "reaction_length": 1e-5 + 1e-5 * wetted,
        "mean_corroded_depth": 0.8 * layer,
        "surface_layer_thickness": layer,
        "transition_metal_loss": 1e5 * layer,
        "alkali_loss": 4e5 * layer,
        "isolated_share": 0.2 * grown,
        "trapped_alkali": 0.1 * grown,
        "alkali_ceiling": 1 - lost if made.cell == "full_cell" else np.full(len(cycle), np.nan),
        "rock_salt_share": 0.1 * grown,
        "pore_share": 0.01 * grown,
        "mass_balance_error": np.full(len(cycle), -2e-9),
        "max_drift_voltage": np.full(len(cycle), 0.05),
    }
    ds = ugrid(particle).assign({name: ("simulated", values) for name, values in series.items()})
    ds = ds.assign(_life_maps(particle, made, cycle, damage, layer))
    coupling = {"cycles": made.cycles, "coupling": made.coupling, "cell": made.cell}
    return ds.assign_attrs(coupling | {"failed_damage": 0.99})


def simulated_cycles(last: int, factor: float = 1.5) -> np.ndarray:
    """Return 1, 2, 3 and then every cycle this much farther than the one before, to the last."""
    found = [1, 2, 3]
    while found[-1] < last:
        found.append(min(int(factor * found[-1]), last))
    return np.array([cycle for cycle in found if cycle <= last])


def _life_maps(
    particle: Particle, made: Made, cycle: np.ndarray, damage: np.ndarray, layer: np.ndarray
) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
    """The longest cracks grow from the surface inwards; blocks behind them drop out and keep their alkali."""
    chosen = np.unique([np.argmin(np.abs(cycle - goal)) for goal in (1, 10, 100, made.cycles)])
    depth = distance_to_surface(particle, particle.interface_midpoint)
    rank = np.argsort(np.argsort(depth)) / max(particle.n_interfaces, 1)
    cracked = np.clip((damage[chosen, None] - rank) / 0.05 + 1, 0, 1)
    wetted = (cracked >= 0.99) & (made.electrolyte is not None)
    behind = np.arange(particle.n_blocks) < 0.1 * damage[chosen, None] * particle.n_blocks
    active = ~behind[:, particle.block]
    return {
        "map_cycle": (("map",), cycle[chosen]),
        "map_damage": (("map", "interface"), cracked),
        "map_opening": (("map", "interface"), 30e-9 * (cracked >= 0.99)),
        "map_wetted": (("map", "interface"), wetted),
        "map_corroded_depth": (("map", "interface"), wetted * layer[chosen, None]),
        "map_active": (("map", "cell"), active),
        "map_site_fraction": (("map", "cell"), np.where(active, 0.95, 0.7)),
        "map_charged_site_fraction": (("map", "cell"), np.where(active, made.lowest, 0.7)),
        "map_rock_salt": (("map", "cell"), np.zeros((len(chosen), particle.n_cells))),
        "map_surface_layer_thickness": (("map", "surface"), np.tile(layer[chosen, None], particle.n_surface)),
    }


def write_case(folder: Path, made: Made, seed: int) -> dict[str, Path]:
    """Write every stage file of one run and its metrics; returns the paths by stage."""
    rng = np.random.default_rng([seed, len(made.name)])
    particle = platelet() if made.platelet else disc(seed=seed)
    files = {
        s: folder / f"{s}.nc"
        for s in ("microstructure", "defects", "exposure", "cycling", "cracks", "interface")
    }
    mesh = ugrid(particle)
    defects = mesh.assign(strength_factor=("interface", rng.lognormal(0, 0.1, particle.n_interfaces)))
    cycling = cycling_dataset(particle, made)
    cracks = crack_dataset(particle, made, cycling, rng)
    stages = {
        "microstructure": particle_dataset(particle),
        "defects": defects,
        "exposure": exposure_dataset(particle, made, np.random.default_rng(seed)),
        "cycling": cycling,
        "cracks": cracks,
        "interface": interface_dataset(particle, cracks),
    }
    if seed in made.diverged:
        message = "'Charge at C/10 until 4.3 V' at t = 7200 s: staggered iteration stopped at dx = 2e-3"
        stages["cycling"] = mesh.assign_attrs(status="diverged", status_message=message)
        for stage in ("cracks", "interface"):
            stages[stage] = mesh.assign_attrs(status="upstream_failed", status_message="cycling diverged")
    if made.cycles:
        files["life"] = folder / "life.nc"
        write_dataset(_life(particle, made, seed), files["life"], PROVENANCE)
    for stage, data in stages.items():
        write_dataset(data, files[stage], PROVENANCE)
    files["metrics"] = folder / "metrics.json"
    write_metrics(case_metrics(*(files[stage] for stage in stages), life=files.get("life")), files["metrics"])
    return files


def _life(particle: Particle, made: Made, seed: int) -> xr.Dataset:
    if seed in made.diverged:
        return ugrid(particle).assign_attrs(status="upstream_failed", status_message="cycling diverged")
    if seed in made.life_diverged:
        message = "cycle 7 found no solution"
        return ugrid(particle).assign_attrs(status="diverged", status_message=message)
    return life_dataset(particle, made, np.random.default_rng(seed))


def write_study(folder: Path, cases: tuple[Made, ...] = STUDY) -> Path:
    """Write a whole study and its manifest; returns the manifest."""
    entries = []
    for made in cases:
        for seed in range(1, made.seeds + 1):
            name = f"{made.name}.s{seed}" if made.seeds > 1 else made.name
            files = write_case(folder / name, made, seed)
            entries.append(
                {
                    "id": name,
                    "name": made.name,
                    "title": made.title,
                    "seed": seed,
                    "control": made.control,
                    "material": made.material,
                    "coupling": made.coupling,
                    "parameters": PARAMETERS,
                    "life": _life_entry(made) if made.cycles else None,
                    "files": {"life": None} | {stage: str(path) for stage, path in files.items()},
                }
            )
    metrics = {entry["id"]: json.loads(Path(entry["files"]["metrics"]).read_text()) for entry in entries}
    names = {made.name for made in cases}
    tests = [test for test in COMPARISONS if {test["case"], test["control"]} <= names]
    compare_pairs(metrics, tests).to_csv(folder / "comparisons.csv", index=False)
    manifest = {
        "study": {"title": "Synthetic data for tests"},
        "cases": entries,
        "comparisons": str(folder / "comparisons.csv"),
        "plots": {"colormap": "viridis"},
    }
    path = folder / "manifest.json"
    path.write_text(json.dumps(manifest))
    return path


def _life_entry(made: Made) -> dict:
    share = {
        "key": "life.third_dimension",
        "value": 0.3,
        "unit": "1",
        "status": "estimate",
        "source": "shares",
    }
    chosen = {key: getattr(made, key) for key in ("cycles", "cell", "electrolyte", "weakening")}
    return chosen | {"settings": [share]}


PARAMETERS = [
    {
        "key": "maximum_concentration",
        "value": 40000.0,
        "unit": "mol/m3",
        "status": "literature",
        "source": "unit cell volume",
    },
    {
        "key": "elasticity.c11",
        "value": 2.0e11,
        "unit": "Pa",
        "status": "estimate",
        "source": "scaled from a Li oxide",
    },
    {
        "key": "interfaces.grain_boundary.tensile_strength",
        "value": 2.0e8,
        "unit": "Pa",
        "status": "stated",
        "source": "table 1",
    },
]


def _unit(angle: np.ndarray) -> np.ndarray:
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def _share(failed: np.ndarray, length: np.ndarray, of: np.ndarray) -> np.ndarray:
    total = length[of].sum()
    return failed[:, of] @ length[of] / total if total > 0 else np.zeros(len(failed))
