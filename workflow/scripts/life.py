"""The blocks of a life joined."""

from typing import Any

from faultline.life.joining import join_blocks
from faultline.progress import run_script


def main(input: Any, output: Any, params: Any) -> None:
    join_blocks(list(input), output[0], params.code, params.seed)


if __name__ == "__main__":
    run_script(main, globals()["snakemake"])
