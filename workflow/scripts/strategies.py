"""Every strategy of the catalogue against its control: a table, and named numbers."""

from pathlib import Path
from typing import Any

from faultline.dataset import read_dataset
from faultline.observables.strategies import Entry, strategy_statistics, strategy_table
from faultline.progress import run_script
from faultline.statistics import write_statistics
from faultline.textfiles import write_table


def main(input: Any, output: Any, params: Any) -> None:
    entries = {name: Entry(**entry) for name, entry in params.entries.items()}
    runs = {name: read_dataset(path) for name, path in zip(entries, input, strict=True)}
    table = strategy_table(runs, entries)
    write_statistics(strategy_statistics(runs, table), Path(output.statistics))
    write_table(table, output.table)


if __name__ == "__main__":
    run_script(main, globals()["snakemake"])
