"""Crack thresholds of some seeds of a threshold study."""

from pathlib import Path
from typing import Any

from faultline.config.stage import from_slice
from faultline.config.thresholds import RampSettings
from faultline.cycling.thresholds import threshold_runs
from faultline.dataset import write_dataset
from faultline.progress import run_script
from faultline.provenance import attributes


def main(input: Any, output: Any, params: Any) -> None:
    ramp = RampSettings.model_validate(params.config["ramp"], context={"canonical": True})
    seeds = list(params.seeds)
    runs = threshold_runs(from_slice(params.config["particle"]), ramp, seeds)
    write_dataset(runs, Path(output[0]), attributes(params.config, input, params.code, seeds[0]))


if __name__ == "__main__":
    run_script(main, globals()["snakemake"])
