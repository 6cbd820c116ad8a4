"""What storage in a gas did to the particle of a case before cycling."""

from collections.abc import Mapping
from typing import Any

import xarray as xr

from faultline.config.stage import StageSettings
from faultline.exposure import AirChemistry, Drying, Gas, expose, unexposed
from faultline.exposure.files import exposure_dataset
from faultline.materials import material_from_settings
from faultline.microstructure.particle import Particle
from faultline.progress import run_script
from faultline.stage import run_stage


def solve(particle: Particle, inputs: Mapping[str, xr.Dataset], settings: StageSettings) -> xr.Dataset:
    material = material_from_settings(settings.material)
    if settings.environment is None:
        return exposure_dataset(particle, unexposed(particle, material.initial_site_fraction))
    assert settings.exposure.duration is not None  # the configuration asks for it beside the environment
    air = AirChemistry.from_settings(settings.material.air)
    gas = Gas.from_settings(settings.environment)
    exposure = expose(
        particle,
        material,
        air,
        gas,
        settings.exposure.duration,
        settings.exposure.weaken,
        drying=Drying.from_settings(settings.exposure.drying) if settings.exposure.drying else None,
    )
    return exposure_dataset(particle, exposure)


def main(input: Any, output: Any, params: Any) -> None:
    run_stage(solve, dict(input.items()), output[0], params)


if __name__ == "__main__":
    run_script(main, globals()["snakemake"])
