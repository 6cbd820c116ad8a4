"""What the scenarios of a dislocation study say together: statements, statistics, constants, status."""

from pathlib import Path
from typing import Any

import pandas as pd

from faultline.dataset import read_dataset
from faultline.dislocations.summary import status_of, summary
from faultline.progress import run_script
from faultline.statistics import write_statistics
from faultline.textfiles import write_json, write_table


def main(input: Any, output: Any, params: Any) -> None:
    files = {name: read_dataset(path) for name, path in zip(params.scenarios, input, strict=True)}
    rows, statistics = summary(files, params.constants)
    write_table(pd.DataFrame(rows), output.statements)
    write_statistics(statistics, Path(output.statistics))
    write_table(pd.DataFrame(params.parameters), output.parameters)
    write_json(status_of(files), Path(output.status))


if __name__ == "__main__":
    run_script(main, globals()["snakemake"])
