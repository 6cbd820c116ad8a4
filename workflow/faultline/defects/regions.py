"""Hard and soft regions of a particle: where oxygen takes part in redox, drawn from a seed."""

import numpy as np
from numpy.typing import NDArray

from faultline.config.models import DefectSettings, RedoxRegionSettings
from faultline.defects.fields import gaussian_field, length_of_clusters
from faultline.materials.regions import RedoxRegions
from faultline.microstructure import CORE, Particle

STREAM = 8  # of a seed; lower ones belong to the other defects


def redox_class(particle: Particle, settings: RedoxRegionSettings, seed: int) -> NDArray[np.bool_]:
    """(n_cells,) whether a cell of the core lies in a region, drawn from a generator of its own.

    The regions are where a Gaussian field is largest, as many cells as come nearest to the share of this
    very section. Their mean width along a line is `size`.
    """
    rng = np.random.default_rng([seed, STREAM])
    length = length_of_clusters(settings.share, settings.size)
    field = gaussian_field(particle.cell_centroid, length, 1, rng)[0]
    core = np.flatnonzero(particle.region == CORE)
    highest_first = core[np.argsort(-field[core])]
    reached = np.cumsum(particle.cell_area[highest_first]) / particle.cell_area[core].sum()
    count = int(np.argmin(np.abs(np.concatenate([[0.0], reached]) - settings.share)))
    hard = np.zeros(particle.n_cells, dtype=bool)
    hard[highest_first[:count]] = True
    return hard


def redox_regions(
    particle: Particle, settings: DefectSettings | None, seed: int, initial_site_fraction: float = np.nan
) -> RedoxRegions | None:
    """Regions of a particle; None where the settings have none.

    `initial_site_fraction` turns shares of the alkali into site fractions; stiffness does not need it.
    """
    given = None if settings is None else settings.redox_regions
    if given is None:
        return None
    onset, complete = (initial_site_fraction * (1 - share) for share in (given.onset, given.complete))
    hard = redox_class(particle, given, seed)
    return RedoxRegions(hard, onset, complete, given.contraction, given.stiffness)
