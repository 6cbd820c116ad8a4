"""All seeds of a strategy; those that are done are kept while others run."""

from pathlib import Path
from typing import Any

from faultline.dataset import write_dataset
from faultline.observables.strategy_runs import strategy_runs
from faultline.progress import run_script
from faultline.provenance import attributes


def main(input: Any, output: Any, params: Any) -> None:
    seeds, target = list(params.seeds), Path(output[0])
    provenance = attributes(params.config, input, params.code, seeds[0])
    checkpoint = target.with_name(f".{target.stem}.part.nc")
    runs = strategy_runs(params.config, seeds, checkpoint, provenance)
    write_dataset(runs, target, provenance)
    checkpoint.unlink(missing_ok=True)


if __name__ == "__main__":
    run_script(main, globals()["snakemake"])
