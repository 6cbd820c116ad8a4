"""The defects of a case on its particle, as the stage writes them."""

import xarray as xr

from faultline.config.stage import StageSettings
from faultline.defects.files import defects_dataset
from faultline.defects.generate import generate_defects
from faultline.defects.measured import map_on_cells, read_map
from faultline.microstructure.particle import Particle
from faultline.provenance import ROOT


def synthesised(particle: Particle, settings: StageSettings, seed: int) -> xr.Dataset:
    """Dataset of what synthesis left; `settings` is the `defects` slice, a measured map is in the project."""
    given = settings.defects.microstrain.map
    measured = None if given is None else map_on_cells(particle, read_map(given.file, ROOT), given)
    return defects_dataset(particle, generate_defects(particle, settings.defects, seed, measured))
