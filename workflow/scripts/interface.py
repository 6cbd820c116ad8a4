"""Electrolyte in the cracks of a case, and what it leaves on the faces that it wets."""

from collections.abc import Mapping
from typing import Any

import xarray as xr

from faultline.config.stage import StageSettings
from faultline.interface import Growth, corrode, corrosion_dataset
from faultline.materials import material_from_settings
from faultline.microstructure.particle import Particle
from faultline.progress import run_script
from faultline.stage import run_stage


def solve(particle: Particle, inputs: Mapping[str, xr.Dataset], settings: StageSettings) -> xr.Dataset:
    cycling, cracks, electrolyte = inputs["cycling"], inputs["cracks"], settings.electrolyte
    corrosion = corrode(
        particle,
        material_from_settings(settings.material),
        Growth.from_settings(settings.material.electrolyte_corrosion) if electrolyte else None,
        failed=cracks["damage"].isel(frame=-1).values >= cracks.attrs["failed_damage"],
        opening=cracks["opening"].max("frame").values,
        time=cycling["time"].values,
        voltage=cycling["voltage"].values,
        hf=electrolyte.hf if electrolyte else 0.0,
        temperature=electrolyte.temperature if electrolyte else settings.temperature,
        capillary_opening=settings.interface.capillary_opening,
        exposure_resistance=inputs["exposure"]["film_resistance"].values,
    )
    return corrosion_dataset(particle, corrosion)


def main(input: Any, output: Any, params: Any) -> None:
    run_stage(solve, dict(input.items()), output[0], params)


if __name__ == "__main__":
    run_script(main, globals()["snakemake"])
