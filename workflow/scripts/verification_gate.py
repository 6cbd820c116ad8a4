"""Judge the verification table: passes if every row does, else names those that fail."""

from typing import Any

from faultline.errors import UserError
from faultline.progress import run_script
from faultline.textfiles import read_table, write_text


def main(input: Any, output: Any, params: Any) -> None:
    rows = read_table(input[0])
    failing = rows[rows["verdict"] != "pass"]
    if len(failing):
        lines = [
            f"  {row.problem}, {row.quantity}: error {row.error:.2g}, tolerance {row.tolerance:.2g}"
            for row in failing.itertuples()
        ]
        raise UserError("\n".join([f"{len(failing)} of {len(rows)} rows fail in {input[0]}:", *lines]))
    write_text(f"{len(rows)} rows, all pass\n", output[0])


if __name__ == "__main__":
    run_script(main, globals()["snakemake"])
