"""A material in gases side by side: dataset, table and named numbers."""

from pathlib import Path
from typing import Any

from faultline.config.gases import StorageSettings
from faultline.config.models import GasSettings, MaterialSettings
from faultline.dataset import write_dataset
from faultline.exposure import AirChemistry, Drying, Gas, follow_gases
from faultline.exposure.gases import Hours, gas_dataset, gas_statistics, gas_table
from faultline.materials import material_from_settings
from faultline.progress import run_script
from faultline.provenance import attributes
from faultline.statistics import write_statistics
from faultline.textfiles import write_table

CANONICAL = {"canonical": True}


def main(input: Any, output: Any, params: Any) -> None:
    storage = StorageSettings.model_validate(params.config["storage"], context=CANONICAL)
    settings = MaterialSettings.model_validate(params.config["material"], context=CANONICAL)
    gases = {
        name: Gas.from_settings(GasSettings.model_validate(plain, context=CANONICAL))
        for name, plain in params.config["gases"].items()
    }
    hours = Hours(storage.duration, params.config["stated"])
    courses = follow_gases(
        material_from_settings(settings),
        AirChemistry.from_settings(settings.air),
        gases,
        hours.of(gases),
        storage.depth,
        Drying.from_settings(storage.drying) if storage.drying else None,
        hours.curve(storage.frames),
    )
    found = gas_dataset(courses, hours)
    write_dataset(found, Path(output.fields), attributes(params.config, input, params.code, 0))
    write_table(gas_table(found), output.table)
    write_statistics(gas_statistics(found), Path(output.statistics))


if __name__ == "__main__":
    run_script(main, globals()["snakemake"])
