"""Electrolyte in the cracks: what it wets, and what it leaves there."""

from faultline.interface.coating import Coating, Film, fresh_film
from faultline.interface.corrosion import (
    Corrosion,
    Growth,
    Layers,
    advance,
    aged,
    corrode,
    corrosion_dataset,
    film_resistance,
    fresh_layers,
    layers_from_dataset,
    reconstructed_blocks,
    reconstructed_share,
    weakened,
)
from faultline.interface.electrolyte import Electrolyte, Interphase, electrolyte_temperature
from faultline.interface.renewal import Breathing, Renewal, renewed
from faultline.interface.wetting import (
    Attack,
    attack_reach,
    attacked,
    reacting_faces,
    vertex_wet_time,
    wetted_interfaces,
    wetted_sides,
)

__all__ = [
    "Attack",
    "Breathing",
    "Coating",
    "Corrosion",
    "Electrolyte",
    "Film",
    "Growth",
    "Interphase",
    "Layers",
    "Renewal",
    "advance",
    "aged",
    "attack_reach",
    "attacked",
    "corrode",
    "corrosion_dataset",
    "electrolyte_temperature",
    "film_resistance",
    "fresh_film",
    "fresh_layers",
    "layers_from_dataset",
    "reacting_faces",
    "reconstructed_blocks",
    "reconstructed_share",
    "renewed",
    "vertex_wet_time",
    "weakened",
    "wetted_interfaces",
    "wetted_sides",
]
