"""The finished study as one file."""

from pathlib import Path
from typing import Any

from faultline.archive import write_archive
from faultline.progress import run_script


def main(input: Any, output: Any, params: Any) -> None:
    write_archive(params.study, Path(), Path(output[0]))


if __name__ == "__main__":
    run_script(main, globals()["snakemake"])
