"""One table of all groups of verification problems, or of benchmarks."""

from typing import Any

import pandas as pd

from faultline.progress import run_script
from faultline.textfiles import read_table, write_table


def main(input: Any, output: Any, params: Any) -> None:
    write_table(pd.concat([read_table(path) for path in input]), output[0])


if __name__ == "__main__":
    run_script(main, globals()["snakemake"])
