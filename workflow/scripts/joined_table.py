"""One table of all groups of verification problems, or of benchmarks."""

from pathlib import Path
from typing import Any

import pandas as pd

from faultline.progress import run_script
from faultline.textfiles import read_table


def main(input: Any, output: Any, params: Any) -> None:
    pd.concat([read_table(path) for path in input]).to_csv(Path(output[0]), index=False)


if __name__ == "__main__":
    run_script(main, globals()["snakemake"])
