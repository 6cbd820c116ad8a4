"""Electrolyte in the cracks: what it wets, and what it leaves there; and what heat does to charged oxide."""

from faultline.interface.corrosion import (
    Corrosion,
    Growth,
    Layers,
    advance,
    corrode,
    corrosion_dataset,
    film_resistance,
    fresh_layers,
    layers_from_dataset,
)
from faultline.interface.electrolyte import Electrolyte, Interphase
from faultline.interface.heat import Heat, HeatState
from faultline.interface.wetting import reacting_faces, wetted_interfaces, wetted_sides, wetted_vertices

__all__ = [
    "Corrosion",
    "Electrolyte",
    "Growth",
    "Heat",
    "HeatState",
    "Interphase",
    "Layers",
    "advance",
    "corrode",
    "corrosion_dataset",
    "film_resistance",
    "fresh_layers",
    "layers_from_dataset",
    "reacting_faces",
    "wetted_interfaces",
    "wetted_sides",
    "wetted_vertices",
]
