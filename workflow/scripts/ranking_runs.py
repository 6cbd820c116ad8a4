"""Lives of some seeds of a ranking."""

from pathlib import Path
from typing import Any

from faultline.dataset import write_dataset
from faultline.life.ranking import ranking_runs
from faultline.progress import run_script
from faultline.provenance import attributes


def main(input: Any, output: Any, params: Any) -> None:
    seeds = list(params.seeds)
    runs = ranking_runs(params.config, seeds)
    write_dataset(runs, Path(output[0]), attributes(params.config, input, params.code, seeds[0]))


if __name__ == "__main__":
    run_script(main, globals()["snakemake"])
