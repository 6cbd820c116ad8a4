"""All runs of a ranking in one file, and the order that they put its variables in."""

from pathlib import Path
from typing import Any

from faultline.dataset import read_dataset, write_dataset
from faultline.observables.ranking import joined, ranking_statistics, ranking_table
from faultline.progress import run_script
from faultline.provenance import attributes
from faultline.statistics import write_statistics
from faultline.textfiles import write_table


def main(input: Any, output: Any, params: Any) -> None:
    runs = joined([read_dataset(path) for path in input])
    seed = int(runs["seed"].values[0])
    write_dataset(runs, Path(output.runs), attributes(params.config, input, params.code, seed))
    write_statistics(ranking_statistics(runs), Path(output.statistics))
    write_table(ranking_table(runs), output.table)


if __name__ == "__main__":
    run_script(main, globals()["snakemake"])
