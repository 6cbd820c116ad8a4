"""One situation of the nanoscale: its runs, or what was reached of them."""

from pathlib import Path
from typing import Any

from faultline.dataset import write_dataset
from faultline.dislocations.files import simulate
from faultline.progress import run_script
from faultline.provenance import attributes, stage_result


def main(input: Any, output: Any, params: Any) -> None:
    constants, seeds = params.config["constants"], params.config["seeds"]
    result = stage_result(lambda: simulate(params.scenario, constants, seeds), {})
    write_dataset(
        result.assign_attrs(scenario=params.scenario),
        Path(output[0]),
        attributes(params.config, [], params.code, seed=seeds),
    )


if __name__ == "__main__":
    run_script(main, globals()["snakemake"])
