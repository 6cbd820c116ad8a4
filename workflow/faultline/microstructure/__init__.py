"""Microstructures: grains, basal planes, shells and their body-fitted meshes.

`build.build_particle` is not among the names here: who reads a particle shall not load what makes one.
"""

from faultline.microstructure.particle import (
    BASAL_PLANE,
    CORE,
    GRAIN_BOUNDARY,
    INTERFACE_KINDS,
    SHELL,
    SHELL_BOND,
    Particle,
    SplitMesh,
    assemble_particle,
    rectangle_particle,
    split,
)
from faultline.microstructure.storage import particle_dataset, particle_from_dataset

__all__ = [
    "BASAL_PLANE",
    "CORE",
    "GRAIN_BOUNDARY",
    "INTERFACE_KINDS",
    "SHELL",
    "SHELL_BOND",
    "Particle",
    "SplitMesh",
    "assemble_particle",
    "particle_dataset",
    "particle_from_dataset",
    "rectangle_particle",
    "split",
]
