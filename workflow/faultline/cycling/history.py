"""What a cycling run leaves behind: series over time steps and frames of the fields."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faultline.materials.particle_model import ParticleModel

Array = NDArray[np.float64]


@dataclass
class History:
    """Record of one run.

    ``series`` and ``frames`` are columns (one list entry per time step / per frame); ``status`` is ``ok``
    or ``diverged`` with ``message`` naming time, step and residual of the failure.
    """

    series: dict[str, list[float]] = field(default_factory=dict)
    frames: dict[str, list[Any]] = field(default_factory=dict)
    status: str = "ok"
    message: str = ""

    def add_step(self, **values: float) -> None:
        """Append one time step to the series."""
        for name, value in values.items():
            self.series.setdefault(name, []).append(float(value))

    def add_frame(self, **values: Any) -> None:
        """Append one frame of fields and scalars."""
        for name, value in values.items():
            self.frames.setdefault(name, []).append(np.array(value))

    def models(self, model: ParticleModel) -> list[ParticleModel]:
        """The particle of each frame, with the rock salt that it had then."""
        return [model.in_frame(self.frames, k) for k in range(len(self.frames["site_fraction"]))]

    def column(self, name: str) -> Array:
        """One series as an array (n_steps,)."""
        return np.asarray(self.series[name])

    def field(self, name: str) -> Array:
        """One frame quantity stacked over frames."""
        return np.stack(self.frames[name])
