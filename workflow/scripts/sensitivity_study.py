"""All runs of a screening in one file, and the order that they put its parameters in."""

from pathlib import Path
from typing import Any

from faultline.dataset import read_dataset, write_dataset
from faultline.observables.sensitivity import joined, sensitivity_statistics, sensitivity_table
from faultline.progress import run_script
from faultline.provenance import attributes
from faultline.statistics import write_statistics
from faultline.textfiles import write_table


def main(input: Any, output: Any, params: Any) -> None:
    runs = joined([read_dataset(path) for path in input])
    write_dataset(runs, Path(output.runs), attributes(params.config, input, params.code, 1))
    write_statistics(sensitivity_statistics(runs, params.contrasts), Path(output.statistics))
    write_table(sensitivity_table(runs, params.factors), output.table)


if __name__ == "__main__":
    run_script(main, globals()["snakemake"])
