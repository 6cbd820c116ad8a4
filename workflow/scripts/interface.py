"""What a block of cycles leaves: corrosion where electrolyte wets the cracks, and more defects."""

from collections.abc import Mapping
from functools import partial
from types import SimpleNamespace
from typing import Any

import xarray as xr

from faultline.config.stage import StageSettings
from faultline.defects.remodelling import remodel, retained_share_from
from faultline.interface import (
    Coating,
    Electrolyte,
    Film,
    Growth,
    Interphase,
    corrode,
    corrosion_dataset,
    electrolyte_temperature,
    fresh_film,
)
from faultline.materials import material_from_settings
from faultline.microstructure.particle import Particle
from faultline.progress import run_script
from faultline.stage import run_stage


def solve(particle: Particle, inputs: Mapping[str, xr.Dataset], settings: StageSettings) -> xr.Dataset:
    cycling, cracks = inputs["cycling"], inputs["cracks"]
    electrolyte = Electrolyte.from_settings(settings.electrolyte) if settings.electrolyte else None
    time = cycling["time"].values
    temperature = electrolyte_temperature(settings.electrolyte, settings.temperature)
    coating, film = coated(particle, cracks, settings)
    corrosion = corrode(
        particle,
        material_from_settings(settings.material),
        Growth.from_settings(settings.material.electrolyte_corrosion) if electrolyte else None,
        failed=cracks["damage"].isel(frame=-1).values >= cracks.attrs["failed_damage"],
        opening=cracks["opening"].max("frame").values,
        time=time,
        voltage=cycling["voltage"].values,
        hf=electrolyte.acid(time, temperature) if electrolyte else 0.0,
        temperature=temperature,
        capillary_opening=settings.interface.capillary_opening,
        exposure_resistance=inputs["exposure"]["film_resistance"].values,
        cei=electrolyte.cei if electrolyte else Interphase(),
        cycles=int(cycling["cycle"].max()),
        coating=coating,
        film=film,
    )
    return corrosion_dataset(particle, corrosion, coating)


def coated(
    particle: Particle, cracks: xr.Dataset, settings: StageSettings
) -> tuple[Coating | None, Film | None]:
    """What covers the surface, cracked as the cycles have strained it."""
    coating = Coating.from_settings(settings.shell, settings.shell_thickness)
    if coating is None:
        return None, None
    tension = cracks["film_tension"].max("frame").values
    return coating, coating.strained(fresh_film(particle.n_surface), tension)


def main(input: Any, output: Any, params: Any) -> None:
    run_stage(
        solve,
        {name: input[name] for name in ("microstructure", "exposure", "cycling", "cracks")},
        output.interface,
        params,
    )
    statistics = [input.statistics] if input.statistics else []
    retained = retained_share_from(statistics[0]) if statistics else None
    run_stage(
        partial(remodel, retained_share=retained),
        {name: input[name] for name in ("microstructure", "defects", "cycling")},
        output.defects,
        SimpleNamespace(config=params.activation, code=params.code, seed=params.seed),
        statistics,
    )


if __name__ == "__main__":
    run_script(main, globals()["snakemake"])
