"""Solve one group of verification problems."""

from importlib import import_module
from typing import Any

from faultline.progress import run_script
from faultline.textfiles import write_table
from faultline.verification import run_problems, table


def main(input: Any, output: Any, params: Any) -> None:
    problems = import_module(f"faultline.verification.{params.group}").PROBLEMS
    write_table(table(run_problems(problems)), output[0])


if __name__ == "__main__":
    run_script(main, globals()["snakemake"])
