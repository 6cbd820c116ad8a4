"""Charge and discharge of the particle of a case."""

from typing import Any

from faultline.cycling.files import cycle
from faultline.progress import run_script
from faultline.stage import run_stage


def main(input: Any, output: Any, params: Any) -> None:
    run_stage(cycle, dict(input.items()), output[0], params)


if __name__ == "__main__":
    run_script(main, globals()["snakemake"])
