"""Charge and discharge of the particle of a case, and the cracks that grow in the same steps."""

from types import SimpleNamespace
from typing import Any

from faultline.cycling.cracking import crack
from faultline.cycling.files import cycle
from faultline.progress import run_script
from faultline.stage import run_stage


def main(input: Any, output: Any, params: Any) -> None:
    earlier = {stage: input[stage] for stage in ("microstructure", "defects", "exposure")}
    run_stage(cycle, earlier | {"condensed": input.condensed}, output.cycling, params)
    run_stage(
        crack,
        earlier | {"cycling": output.cycling},
        output.cracks,
        SimpleNamespace(config=params.cracks, code=params.code, seed=params.seed),
    )


if __name__ == "__main__":
    run_script(main, globals()["snakemake"])
