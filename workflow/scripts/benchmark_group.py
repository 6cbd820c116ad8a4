"""Measure one group of benchmarks."""

from importlib import import_module
from typing import Any

from faultline.benchmarks import run_benchmarks, table
from faultline.progress import run_script
from faultline.textfiles import write_table


def main(input: Any, output: Any, params: Any) -> None:
    benchmarks = import_module(f"faultline.benchmarks.{params.group}").BENCHMARKS
    write_table(table(run_benchmarks(benchmarks)), output[0])


if __name__ == "__main__":
    run_script(main, globals()["snakemake"])
