"""The numbers of one case: what an experimenter would measure, and how each stage ended."""

from pathlib import Path
from typing import Any

from faultline.observables.diffraction import Crystal
from faultline.observables.metrics import case_metrics, write_metrics
from faultline.progress import run_script


def main(input: Any, output: Any, params: Any) -> None:
    files = {stage: Path(path) for stage, path in input.items() if path}
    crystal = Crystal.from_slice(params.config["material"])
    metrics = case_metrics(**files, formula=params.config["formula"], crystal=crystal)
    write_metrics(metrics, Path(output[0]))


if __name__ == "__main__":
    run_script(main, globals()["snakemake"])
