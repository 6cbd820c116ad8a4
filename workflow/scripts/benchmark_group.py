"""Measure one group of benchmarks."""

from importlib import import_module
from typing import Any

from faultline.benchmarks import run_benchmarks, table
from faultline.progress import run_script


def main(input: Any, output: Any, params: Any) -> None:
    benchmarks = import_module(f"faultline.benchmarks.{params.group}").BENCHMARKS
    table(run_benchmarks(benchmarks)).to_csv(output[0], index=False)


if __name__ == "__main__":
    run_script(main, globals()["snakemake"])
