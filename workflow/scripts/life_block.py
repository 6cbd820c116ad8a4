"""A block of cycles of a life."""

from typing import Any

from faultline.defects.remodelling import retained_share_from
from faultline.life.files import run_block
from faultline.progress import run_script

INPUTS = ("microstructure", "defects", "exposure", "condensed", "state")


def main(input: Any, output: Any, params: Any) -> None:
    statistics = [input.statistics] if input.statistics else []
    retained = retained_share_from(statistics[0]) if statistics else None
    inputs = {name: input[name] for name in INPUTS}
    outputs = {name: output[name] for name in ("life", "state")}
    run_block(inputs, outputs, params, statistics, retained_share=retained)


if __name__ == "__main__":
    run_script(main, globals()["snakemake"])
