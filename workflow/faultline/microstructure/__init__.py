"""Microstructures: grains, basal planes, shells and their body-fitted meshes."""

from faultline.microstructure.build import build_particle, section_radius
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
    "build_particle",
    "particle_dataset",
    "particle_from_dataset",
    "rectangle_particle",
    "section_radius",
    "split",
]
