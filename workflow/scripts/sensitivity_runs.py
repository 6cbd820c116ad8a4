"""Lives along some trajectories of a screening; those that are done are kept while others run."""

from pathlib import Path
from typing import Any

from faultline.dataset import write_dataset
from faultline.life.sensitivity import sensitivity_runs
from faultline.progress import run_script
from faultline.provenance import attributes


def main(input: Any, output: Any, params: Any) -> None:
    target, first, last = Path(output[0]), int(params.first), int(params.last)
    provenance = attributes(params.config, input, params.code, first)
    checkpoint = target.with_name(f".{target.stem}.part.nc")
    runs = sensitivity_runs(params.config, first, last, checkpoint=checkpoint, provenance=provenance)
    write_dataset(runs, target, provenance)
    checkpoint.unlink(missing_ok=True)


if __name__ == "__main__":
    run_script(main, globals()["snakemake"])
