"""The exposure stage of a case, from its settings to its dataset."""

import xarray as xr

from faultline.config.stage import StageSettings
from faultline.errors import numbers_may_fail
from faultline.exposure.apply import expose, unexposed
from faultline.exposure.chemistry import AirChemistry, Drying, Gas
from faultline.exposure.files import exposure_dataset
from faultline.materials import material_from_settings
from faultline.microstructure.particle import Particle


@numbers_may_fail()
def stored(particle: Particle, settings: StageSettings) -> xr.Dataset:
    """What storage in a gas did to a particle before cycling; `settings` are the exposure slice of a case.

    Raises:
        NotConverged: as `expose`.
    """
    material = material_from_settings(settings.material)
    if settings.environment is None:
        return exposure_dataset(particle, unexposed(particle, material.initial_site_fraction))
    exposure = settings.exposure
    assert exposure.duration is not None  # the configuration asks for it beside the environment
    found = expose(
        particle,
        material,
        AirChemistry.from_settings(settings.material.air),
        Gas.from_settings(settings.environment),
        exposure.duration,
        exposure.weaken,
        drying=Drying.from_settings(exposure.drying) if exposure.drying else None,
    )
    return exposure_dataset(particle, found)
