"""List of cases, files and material values that the report notebooks read."""

from pathlib import Path
from typing import Any

from faultline.progress import run_script
from faultline.textfiles import write_json


def main(input: Any, output: Any, params: Any) -> None:
    write_json(params.manifest, Path(output[0]))


if __name__ == "__main__":
    run_script(main, globals()["snakemake"])
