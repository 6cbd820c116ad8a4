"""Tables of the study: one row per case, and each case against its control."""

from pathlib import Path
from typing import Any

import pandas as pd

from faultline.observables.comparison import compare_pairs
from faultline.observables.metrics import read_metrics
from faultline.progress import run_script
from faultline.textfiles import write_table


def main(input: Any, output: Any, params: Any) -> None:
    metrics = {case: read_metrics(Path(path)) for case, path in zip(params.cases, input, strict=True)}
    cases = pd.DataFrame.from_dict(metrics, orient="index").rename_axis("case")
    write_table(cases, output.cases, index=True)
    write_table(compare_pairs(metrics, params.comparisons), output.comparisons)


if __name__ == "__main__":
    run_script(main, globals()["snakemake"])
