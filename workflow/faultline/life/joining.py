"""The blocks of a life as one file. Apart from the rest, since it needs none of the solvers."""

from collections.abc import Sequence
from pathlib import Path

import xarray as xr

from faultline.dataset import read_dataset, write_dataset
from faultline.errors import AGAIN, UserError
from faultline.provenance import OK, attributes

KEPT = ("coupling", "cell", "failed_damage")


def join_blocks(paths: Sequence[str], output: str, code: str, seed: int) -> None:
    """Write the life of which `paths` are the blocks; it has failed if one of them has."""
    blocks = [read_dataset(path) for path in paths]
    _in_order(paths, blocks)
    result = joined(blocks)
    result.attrs["wall_time_s"] = sum(float(block.attrs["wall_time_s"]) for block in blocks)
    write_dataset(result, Path(output), attributes({}, paths, code, seed))


def _in_order(paths: Sequence[str], blocks: Sequence[xr.Dataset]) -> None:
    """See that no block is a copy of another one."""
    done = 0
    for path, block in zip(paths, blocks, strict=True):
        if "cycle" not in block or not block.sizes["simulated"]:
            continue  # it failed before its first cycle
        first, last = (int(block["cycle"][k]) for k in (0, -1))
        if first <= done:
            raise UserError(
                f"{path}: begins with cycle {first}, but the blocks before end with {done}; {AGAIN}"
            )
        done = last


def joined(blocks: Sequence[xr.Dataset]) -> xr.Dataset:
    """The life of which `blocks` are consecutive records, with the status of the first that failed."""
    known = [block for block in blocks if "simulated" in block.dims]
    if not known:
        return blocks[0].copy()
    result = known[0].drop_dims(["simulated", "map"])
    for dim in ("simulated", "map"):
        tables = [block[[name for name in block if dim in block[name].dims]] for block in known]
        result = result.assign(xr.concat(tables, dim, combine_attrs="override").data_vars)
    failed = next((block for block in blocks if block.attrs["status"] != OK), blocks[-1])
    result.attrs = {key: value for key, value in failed.attrs.items() if key.startswith("status")}
    cycles = result["cycle"].values
    result.attrs |= {key: known[0].attrs[key] for key in KEPT}
    return result.assign_attrs(cycles=int(cycles[-1]) if cycles.size else 0)
