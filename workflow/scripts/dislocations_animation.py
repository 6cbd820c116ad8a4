"""A burst as an animated GIF."""

from pathlib import Path
from typing import Any

from faultline.dataset import read_dataset
from faultline.plots.dislocations import write_burst_animation
from faultline.progress import run_script


def main(input: Any, output: Any, params: Any) -> None:
    write_burst_animation(read_dataset(input[0]), Path(output[0]))


if __name__ == "__main__":
    run_script(main, globals()["snakemake"])
