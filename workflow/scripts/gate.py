"""Judge the study: passes if every stage of every case ended well, else names what did not."""

from pathlib import Path
from typing import Any

from faultline.errors import UserError
from faultline.progress import run_script
from faultline.provenance import OK
from faultline.textfiles import read_json


def main(input: Any, output: Any, params: Any) -> None:
    files = zip(params.cases, input, strict=True)
    metrics = {case: read_json(path, required=("status", "status_message")) for case, path in files}
    failed = [
        f"  {case}: {found['status_message']}" for case, found in metrics.items() if found["status"] != OK
    ]
    if failed:
        raise UserError("\n".join([f"{len(failed)} of {len(metrics)} cases failed:", *failed]))
    Path(output[0]).write_text(f"{len(metrics)} cases, none failed\n")


if __name__ == "__main__":
    run_script(main, globals()["snakemake"])
