"""List of cases, files and material values that the report notebooks read."""

import json
from pathlib import Path
from typing import Any

from faultline.progress import run_script


def main(input: Any, output: Any, params: Any) -> None:
    Path(output[0]).write_text(json.dumps(params.manifest, indent=1, allow_nan=False) + "\n")


if __name__ == "__main__":
    run_script(main, globals()["snakemake"])
