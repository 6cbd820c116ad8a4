"""The blocks of a life as one file. Apart from the rest, since it needs none of the solvers."""

from collections.abc import Sequence
from pathlib import Path

import xarray as xr

from faultline.dataset import TOPOLOGY, read_dataset, write_dataset
from faultline.errors import AGAIN, UserError
from faultline.provenance import OK, attributes

KEPT = ("coupling", "cell", "failed_damage")
OF_BLOCK = ("first_cycle", "last_cycle", "life_hash", "seed")


def join_blocks(paths: Sequence[str], output: str, code: str, seed: int) -> None:
    """Write the life of which `paths` are the blocks; it has failed if one of them has."""
    blocks = [read_dataset(path) for path in paths]
    _of_one_life(paths, blocks)
    _in_order(paths, blocks)
    result = joined(blocks)
    result.attrs["wall_time_s"] = sum(float(block.attrs["wall_time_s"]) for block in blocks)
    write_dataset(result, Path(output), attributes({}, paths, code, seed))


def _of_one_life(paths: Sequence[str], blocks: Sequence[xr.Dataset]) -> None:
    """See that the blocks have one particle, one seed and the same settings."""
    for path, block in zip(paths, blocks, strict=True):
        missing = [key for key in OF_BLOCK if key not in block.attrs]
        if missing:
            raise UserError(f"{path}: no block of a life, it lacks {', '.join(missing)}; {AGAIN}")
        other = [key for key in ("life_hash", "seed") if block.attrs[key] != blocks[0].attrs[key]]
        shared = [name for name in TOPOLOGY if name in block and name in blocks[0]]
        if not all(block[name].equals(blocks[0][name]) for name in shared):
            other.append("particle")
        if other:
            what = {"life_hash": "settings"}.get(other[0], other[0])
            raise UserError(f"{path}: of other {what} than {paths[0]}; {AGAIN}")


def _in_order(paths: Sequence[str], blocks: Sequence[xr.Dataset]) -> None:
    """See that the blocks follow each other from cycle 1 on."""
    done = 0
    for path, block in zip(paths, blocks, strict=True):
        first = int(block.attrs["first_cycle"])
        if first != done + 1:
            raise UserError(
                f"{path}: begins with cycle {first}, but the blocks before end with {done}; {AGAIN}"
            )
        done = int(block.attrs["last_cycle"])


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
