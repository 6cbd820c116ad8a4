"""All runs of a threshold study in one file, and what they say."""

from pathlib import Path
from typing import Any

from faultline.cracks.threshold import joined, threshold_statistics
from faultline.dataset import read_dataset, write_dataset
from faultline.progress import run_script
from faultline.provenance import attributes
from faultline.statistics import write_statistics


def main(input: Any, output: Any, params: Any) -> None:
    parts = [read_dataset(path) for path in input]
    runs = joined(parts)
    seed = int(runs.attrs["map_seed"])
    write_dataset(runs, Path(output.runs), attributes(params.config, input, params.code, seed))
    write_statistics(threshold_statistics(runs), Path(output.statistics))


if __name__ == "__main__":
    run_script(main, globals()["snakemake"])
