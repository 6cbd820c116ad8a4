"""Share of a finished study's core time that did not go into work."""

from pathlib import Path
from typing import Any

from faultline.benchmarks import table
from faultline.benchmarks.overhead import overhead
from faultline.progress import run_script
from faultline.textfiles import write_table


def main(input: Any, output: Any, params: Any) -> None:
    write_table(table([overhead(Path(params.results), Path(params.logs))]), output[0])


if __name__ == "__main__":
    run_script(main, globals()["snakemake"])
