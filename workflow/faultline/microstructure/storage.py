"""Particles as datasets."""

import xarray as xr

from faultline.dataset import ugrid
from faultline.errors import UserError
from faultline.microstructure.particle import INTERFACE_KINDS, Particle

# field: (dimensions, dtype in the file, description)
FIELDS: dict[str, tuple[tuple[str, ...], str, str]] = {
    "grain": (("cell",), "int32", "grain (-1 in the shell)"),
    "block": (("cell",), "int32", "elastic block: grain, lamella between basal planes, or shell"),
    "region": (("cell",), "int8", "region: 0 core, 1 shell"),
    "orientation": (("crystal", "xyz", "axis"), "float64", "crystal axes a, b, c of each grain as columns"),
    "interface_cells": (("interface", "side"), "int32", "cells on the minus and plus side"),
    "interface_kind": (
        ("interface",),
        "int8",
        "kind of interface: " + ", ".join(f"{k} {name}" for k, name in enumerate(INTERFACE_KINDS)),
    ),
    "surface_cells": (("surface",), "int32", "cell behind the outer face"),
}


def particle_dataset(particle: Particle) -> xr.Dataset:
    """Return a particle as a UGRID dataset, SI units."""
    ds = ugrid(particle)
    for name, (dimensions, dtype, long_name) in FIELDS.items():
        attributes = {"long_name": long_name, "units": "1"}
        ds[name] = (dimensions, getattr(particle, name).astype(dtype), attributes)
    ds["cell_area"] = ("cell", particle.cell_area, {"long_name": "area of the cell", "units": "m2"})
    return ds


def particle_from_dataset(ds: xr.Dataset) -> Particle:
    """Return the particle stored in a dataset.

    Raises:
        UserError: the dataset is no microstructure file.
    """
    topology = {
        "cells": "face_node_connectivity",
        "interface_faces": "interface_node_connectivity",
        "surface_faces": "surface_node_connectivity",
    }
    needed = [*FIELDS, *topology.values(), "node_x", "node_y"]
    missing = [name for name in needed if name not in ds]
    if missing:
        source = ds.encoding.get("source", "the dataset")
        raise UserError(f"{source}: not a microstructure file; it lacks {', '.join(missing)}")
    fields = {name: ds[name].values.astype("int64") for name in FIELDS if name != "orientation"}
    fields |= {name: ds[variable].values.astype("int64") for name, variable in topology.items()}
    vertices = ds[["node_x", "node_y"]].to_array().values.T.copy()
    return Particle(vertices=vertices, orientation=ds["orientation"].values, **fields)
