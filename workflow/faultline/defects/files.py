"""Defects as a stage file: of a particle as synthesised, and of one that a block of cycles changed."""

import numpy as np
import xarray as xr

from faultline.dataset import ugrid
from faultline.defects.generate import Defects
from faultline.errors import UserError
from faultline.microstructure import Particle

FIELDS: dict[str, tuple[tuple[str, ...], str, str]] = {  # dims, unit, description
    "residual_strain": (("cell", "voigt"), "1", "residual stress-free strain"),
    "site_fraction_shift": (("cell",), "1", "deviation of the alkali content"),
    "dislocation_density": (("cell",), "1/m2", "dislocation density"),
    "stacking_fault_probability": (("grain",), "1", "share of faulted layers of the grain"),
    "pore_fraction": (("interface",), "1", "share of the facet taken by pores"),
    "bonded": (("interface",), "1", "whether sintering bonded the facet"),
    "strength_factor": (("interface",), "1", "strength of the facet over the mean"),
    "toughness_factor": (("interface",), "1", "toughness of the facet over the mean"),
}
REDOX_REGION = "whether oxygen takes part in redox"


def defects_dataset(particle: Particle, defects: Defects) -> xr.Dataset:
    """Defects as a stage file's dataset, on the particle's topology.

    The faults of the grains are there a second time on the cells, to be drawn.
    """
    ds = ugrid(particle)
    for name, (dims, units, long_name) in FIELDS.items():
        ds[name] = (dims, getattr(defects, name), {"long_name": long_name, "units": units})
    if defects.redox_region is not None:
        words = {"long_name": REDOX_REGION, "units": "1"}
        ds["redox_region"] = ("cell", defects.redox_region.astype(np.int8), words)
    in_grains = particle.grain >= 0
    faults = np.zeros(particle.n_cells)
    faults[in_grains] = defects.stacking_fault_probability[particle.grain[in_grains]]
    words = {"long_name": "share of faulted layers", "units": "1"}
    ds["cell_stacking_fault_probability"] = ("cell", faults, words)
    return ds


def defects_from_dataset(ds: xr.Dataset) -> Defects:
    """Defects stored in a dataset.

    Raises:
        UserError: the dataset is no file of defects.
    """
    missing = [name for name in FIELDS if name not in ds]
    if missing:
        source = ds.encoding.get("source", "the dataset")
        raise UserError(f"{source}: not a file of defects; it lacks {', '.join(missing)}")
    fields = {name: ds[name].values for name in FIELDS}
    regions = ds["redox_region"].values.astype(bool) if "redox_region" in ds else None
    return Defects(**fields | {"bonded": fields["bonded"].astype(bool)}, redox_region=regions)
