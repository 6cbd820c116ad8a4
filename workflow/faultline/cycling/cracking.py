"""Cracks as a stage file: along a cycling history, or taken out of one that was solved together with them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from faultline.config.stage import StageSettings
from faultline.cracks.statistics import first_crack
from faultline.cycling.setup import Inputs, crack_evolution, particle_model
from faultline.dataset import ugrid
from faultline.errors import NotConverged
from faultline.microstructure.particle import Particle
from faultline.progress import Progress

Array = NDArray[np.float64]
log = logging.getLogger(__name__)

CRACK_FIELDS = {
    "damage": ("1", "damage, 0 intact, 1 separated"),
    "opening": ("m", "opening"),
    "slip": ("m", "slip"),
}
FILM_FIELDS = {"film_tension": ("N/m", "largest principal force in the coating, tension positive")}
LAYER_FIELDS = {  # of a crystal whose glide softens
    "layer_slip": ("1", "shear by slip of the layers"),
    "layer_rotation": ("rad", "rotation of the layers against their block, counter-clockwise"),
    "layer_spacing_strain": ("1", "change of the distance of the layers"),
}
CRACK_SERIES = {
    "failed_fraction": ("1", "failed share of the interfaces"),
    "failed_fraction_grain_boundary": ("1", "failed share of the grain boundaries"),
    "failed_fraction_basal": ("1", "failed share of the basal planes"),
    "failed_fraction_shell": ("1", "failed share of the bond to the shell"),
    "failed_length": ("m", "failed length"),
    "opening_area": ("m2", "area of the open cracks in the section"),
    "surface_connected_length": ("m", "failed length joined to the surface"),
    "fragments": ("1", "separate pieces"),
    "elastic_energy": ("J/m", "elastic energy of the bulk"),
    "cohesive_energy": ("J/m", "energy stored in the interfaces"),
    "fracture_energy": ("J/m", "energy spent on cracks"),
    "viscous_work": ("J/m", "work of the viscous regularisation"),
    "fatigue_work": ("J/m", "stored energy that fatigue took from the interfaces"),
    "plastic_work": ("J/m", "work of basal glide"),
}
CRACK_ATTRIBUTES = (
    "failed_damage",
    "first_crack_voltage",
    "first_crack_site_fraction",
    "max_failed_fraction",
)


def crack(particle: Particle, inputs: Inputs, settings: StageSettings) -> xr.Dataset:
    """Cracks of a case: along its cycling history (`one_way`), or taken out of it (`two_way`).

    Needs the datasets `defects`, `exposure` and `cycling`.

    Raises:
        NotConverged: carries the dataset of the frames before.
    """
    cycling = inputs["cycling"]
    frames = [name for name in ("frame_time", "frame_voltage", "frame_mean_site_fraction") if name in cycling]
    result = ugrid(particle).assign({name: cycling[name] for name in frames})
    if settings.cycling.coupling == "two_way":
        tables = (*CRACK_FIELDS, *FILM_FIELDS, *LAYER_FIELDS, *CRACK_SERIES)
        names = [name for name in tables if name in cycling]
        summary = {key: cycling.attrs[key] for key in CRACK_ATTRIBUTES}
        return result.assign({name: cycling[name] for name in names}).assign_attrs(summary)
    model = particle_model(particle, inputs, settings)
    evolution = crack_evolution(model, inputs, settings.cracks)
    records: dict[str, list[Any]] = {}
    progress = Progress(log)
    passed = half_cycles_passed(cycling)
    parts = np.diff(passed, prepend=passed[0] - 1.0) + heat_between(cycling, len(passed))
    for frame, part in enumerate(parts):
        x = cycling["site_fraction"].values[frame]
        try:
            evolution.follow(model.in_frame(cycling, frame).eigenstrain(x), float(part))
        except NotConverged as failure:
            found = with_cracks(result.isel(frame=slice(frame)), records, settings.cracks.failed_damage)
            raise NotConverged(
                str(failure), float(cycling["frame_time"][frame]), frame, failure.residual, found
            ) from failure
        for name, value in evolution.record(settings.cracks.failed_damage).items():
            records.setdefault(name, []).append(value)
        progress("frame %d of %d, failed %.3f", frame + 1, len(passed), records["failed_fraction"][-1])
    return with_cracks(result, records, settings.cracks.failed_damage)


def half_cycles_passed(cycling: xr.Dataset) -> Array:
    """Charge passed in either direction up to each frame, (n_frames,), in units of a nominal half-cycle."""
    time, rate = cycling["time"].values, np.abs(cycling["c_rate"].values)
    passed = np.concatenate([[0.0], np.cumsum(rate[1:] * np.diff(time))]) / 3600.0  # backward Euler steps
    return np.interp(cycling["frame_time"].values, time, passed)


def heat_between(fields: Mapping[Any, Any], n_frames: int) -> Array:
    """(n_frames,) 1 where heat came before the frame: its hours give cracks all the time they need."""
    if "rock_salt" not in fields:
        return np.zeros(n_frames)
    rock_salt = np.asarray(fields["rock_salt"])
    return np.any(np.diff(rock_salt, axis=0, prepend=rock_salt[:1]) > 0, axis=1).astype(float)


def with_cracks(result: xr.Dataset, records: Mapping[str, Any], failed_damage: float) -> xr.Dataset:
    """Dataset with the recorded cracks, one record a frame, and when the first face failed."""
    if not records:
        return result
    tables = {
        ("frame", "interface"): CRACK_FIELDS,
        ("frame", "surface"): FILM_FIELDS,
        ("frame", "cell"): LAYER_FIELDS,
        ("frame",): CRACK_SERIES,
    }
    for dims, table in tables.items():
        for name, (unit, words) in table.items():
            if name in records and np.size(records[name]):  # no film, no tension
                result[name] = (dims, np.stack(records[name]), attributes(unit, words))
    first = first_crack(result["failed_fraction"].values)
    when = {"voltage": "frame_voltage", "site_fraction": "frame_mean_site_fraction"}
    found = {
        f"first_crack_{name}": float("nan") if first is None else float(result[source][first])
        for name, source in when.items()
    }
    most = float(result["failed_fraction"].max())
    return result.assign_attrs(failed_damage=failed_damage, max_failed_fraction=most, **found)


def attributes(unit: str, words: str) -> dict[str, str]:
    """Attributes of a variable."""
    return {"units": unit, "long_name": words}
