"""Electrolyte in the cracks: what it wets, and what it leaves there."""

from faultline.interface.corrosion import Corrosion, Growth, corrode, corrosion_dataset, film_resistance
from faultline.interface.wetting import wetted_interfaces, wetted_vertices

__all__ = [
    "Corrosion",
    "Growth",
    "corrode",
    "corrosion_dataset",
    "film_resistance",
    "wetted_interfaces",
    "wetted_vertices",
]
