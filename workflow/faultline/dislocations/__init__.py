"""Edge dislocations in a layered crystal whose domains hold different amounts of lithium.

A slab in the plane of a (x) and c (y): Burgers vector along a, basal glide, climb along c; periodic along the
domain wall (y), free surfaces along x. `run` follows `State` in a `Crystal` and returns a `History`.
"""

from faultline.dislocations.composition import Environment, Patch, environment, patched
from faultline.dislocations.dynamics import Crystal, run
from faultline.dislocations.parameters import Settings
from faultline.dislocations.state import (
    History,
    State,
    history_arrays,
    initial_state,
    state_from_arrays,
)
from faultline.dislocations.strip import Slab

__all__ = [
    "Crystal",
    "Environment",
    "History",
    "Patch",
    "Settings",
    "Slab",
    "State",
    "environment",
    "history_arrays",
    "initial_state",
    "patched",
    "run",
    "state_from_arrays",
]
