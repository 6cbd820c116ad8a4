"""Particle and mesh of a case, or of several that share it."""

from pathlib import Path
from typing import Any

from faultline.config.stage import from_slice
from faultline.dataset import write_dataset
from faultline.microstructure.build import build_particle
from faultline.microstructure.storage import particle_dataset
from faultline.progress import run_script
from faultline.provenance import ROOT, attributes, stage_result


def main(input: Any, output: Any, params: Any) -> None:
    settings = from_slice(params.config)
    result = stage_result(
        lambda: particle_dataset(build_particle(settings.microstructure, settings.seed, ROOT)), inputs={}
    )
    write_dataset(result, Path(output[0]), attributes(params.config, input, params.code, params.seed))


if __name__ == "__main__":
    run_script(main, globals()["snakemake"])
