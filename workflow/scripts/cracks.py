"""Cracks in the particle of a case along its cycling history."""

from typing import Any

from faultline.cycling.cracking import crack
from faultline.progress import run_script
from faultline.stage import run_stage


def main(input: Any, output: Any, params: Any) -> None:
    run_stage(crack, dict(input.items()), output[0], params)


if __name__ == "__main__":
    run_script(main, globals()["snakemake"])
