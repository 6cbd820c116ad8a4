"""Irreversible mechanics: cohesive cracks along interfaces, and glide of the layers in the bulk."""

from faultline.cracks.fracture import FractureModel, FractureState, ramp
from faultline.cracks.glide import BasalGlide
from faultline.cracks.law import CohesiveProperties, Fatigue
from faultline.cracks.statistics import (
    FAILED_DAMAGE,
    failed_ends,
    failed_fraction,
    failed_length,
    first_crack,
    fragment_of_block,
    fragments,
    opening_area,
    surface_connected,
    surface_connected_length,
)

__all__ = [
    "FAILED_DAMAGE",
    "BasalGlide",
    "CohesiveProperties",
    "Fatigue",
    "FractureModel",
    "FractureState",
    "failed_ends",
    "failed_fraction",
    "failed_length",
    "first_crack",
    "fragment_of_block",
    "fragments",
    "opening_area",
    "ramp",
    "surface_connected",
    "surface_connected_length",
]
