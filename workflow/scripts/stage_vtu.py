"""One stage file as VTU, for ParaView."""

from pathlib import Path
from typing import Any

from faultline.dataset import read_dataset, write_vtu
from faultline.progress import run_script


def main(input: Any, output: Any, params: Any) -> None:
    write_vtu(read_dataset(input[0]), Path(output[0]))


if __name__ == "__main__":
    run_script(main, globals()["snakemake"])
