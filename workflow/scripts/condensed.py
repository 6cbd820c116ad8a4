"""Elastic blocks of a particle seen from their interfaces, for all cases that share both."""

from typing import Any

from faultline.cycling.setup import condensed
from faultline.progress import run_script
from faultline.stage import run_stage


def main(input: Any, output: Any, params: Any) -> None:
    run_stage(condensed, dict(input.items()), output[0], params)


if __name__ == "__main__":
    run_script(main, globals()["snakemake"])
