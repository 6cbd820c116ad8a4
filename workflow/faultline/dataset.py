"""Stage files: NetCDF by the UGRID convention, written whole or not at all, and VTU files for ParaView.

A stage file ends with a seal, one line of text behind the NetCDF: a hash of every byte before it. Reading
starts there, so that no damaged byte reaches the NetCDF library, which takes some for other data. Tools that
read NetCDF do not mind the line; what they write lacks it, and is refused.

The triangles are the topology `mesh` (faces over the dimension `cell`). Potential cracks and the outer
surface are one-dimensional topologies of their own on the same nodes, `interface_mesh` and `surface_mesh`,
so that data may live on them (edges over the dimensions `interface` and `surface`).
"""

import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from faultline.errors import AGAIN, UserError
from faultline.provenance import MAKING
from faultline.seal import SCHEMA_VERSION, has_seal, is_whole, of_other_schema, seal_of
from faultline.writing import whole_file

CONVENTIONS = "CF-1.11 UGRID-1.0"
TOPOLOGY = (  # what `ugrid` lays down
    "node_x",
    "node_y",
    "face_node_connectivity",
    "interface_node_connectivity",
    "surface_node_connectivity",
)
# dimension: (topology, location in it, its connectivity, meshio's name of the cells)
LOCATIONS = {
    "cell": ("mesh", "face", "face_node_connectivity", "triangle"),
    "interface": ("interface_mesh", "edge", "interface_node_connectivity", "line"),
    "surface": ("surface_mesh", "edge", "surface_node_connectivity", "line"),
    "node": ("mesh", "node", "", ""),
}


class HasMesh(Protocol):
    """What a topology is made of; `faultline.microstructure.Particle` is one."""

    @property
    def vertices(self) -> NDArray[np.float64]:
        """(n_nodes, 2) positions, m."""

    @property
    def cells(self) -> NDArray[np.int64]:
        """(n_cells, 3) nodes of each triangle."""

    @property
    def interface_faces(self) -> NDArray[np.int64]:
        """(n_interfaces, 2) nodes of each potential crack."""

    @property
    def surface_faces(self) -> NDArray[np.int64]:
        """(n_surface, 2) nodes of each outer face."""


def ugrid(mesh: HasMesh) -> xr.Dataset:
    """Return the topologies of a particle as a dataset, to which a stage adds its fields."""
    topology = {"cf_role": "mesh_topology", "node_coordinates": "node_x node_y"}
    lines = topology | {"topology_dimension": 1}
    return xr.Dataset(
        {
            "mesh": _topology(
                "triangles of the particle section",
                topology
                | {
                    "topology_dimension": 2,
                    "face_dimension": "cell",
                    "face_node_connectivity": "face_node_connectivity",
                },
            ),
            "interface_mesh": _topology(
                "potential cracks",
                lines
                | {"edge_dimension": "interface", "edge_node_connectivity": "interface_node_connectivity"},
            ),
            "surface_mesh": _topology(
                "outer surface",
                lines | {"edge_dimension": "surface", "edge_node_connectivity": "surface_node_connectivity"},
            ),
            "face_node_connectivity": _connectivity("cell", "corner", mesh.cells, "face"),
            "interface_node_connectivity": _connectivity("interface", "end", mesh.interface_faces, "edge"),
            "surface_node_connectivity": _connectivity("surface", "end", mesh.surface_faces, "edge"),
            "node_x": ("node", mesh.vertices[:, 0], {"long_name": "x of the node", "units": "m"}),
            "node_y": ("node", mesh.vertices[:, 1], {"long_name": "y of the node", "units": "m"}),
        }
    )


def write_dataset(ds: xr.Dataset, path: Path | str, provenance: Mapping[str, Any] | None = None) -> None:
    """Write a stage file, compressed and sealed, under its final name only when it is complete.

    Two attributes are added: `content_hash`, and `written_as`, the path.

    Args:
        ds: the data; variables on cells, interfaces, surface faces and nodes get their UGRID location.
        path: the file; its folder is made where it is missing.
        provenance: attributes to add; values that NetCDF cannot hold are written as JSON.

    Raises:
        UserError: the file cannot be written.
    """
    path = Path(path)
    complete = ds.copy()
    complete.attrs = {"status": "ok", "status_message": "", **ds.attrs, **(provenance or {})}
    complete.attrs |= {"Conventions": CONVENTIONS, "schema_version": SCHEMA_VERSION}
    complete.attrs = {key: _attribute(value) for key, value in complete.attrs.items()}
    for name in complete.variables:
        complete[name].attrs = _location(complete[name]) | complete[name].attrs
    complete.attrs |= {"content_hash": content_hash(complete), "written_as": path.as_posix()}
    encoding = {name: _encoding(variable) for name, variable in complete.variables.items()}
    # Made in memory: where a disk is full, HDF5 takes the whole process down; where there are no locks, it
    # writes no file.
    content = bytes(complete.to_netcdf(None, engine="h5netcdf", encoding=encoding))
    with whole_file(path) as partial:
        partial.write_bytes(content + seal_of(content))


def content_hash(ds: xr.Dataset) -> str:
    """Hash of names, dimensions, values and attributes but those of the making (16 hexadecimal digits).

    A second run that found the same has the same hash, though it took place at another time.
    """
    found = hashlib.blake2b(digest_size=8)
    found.update(_plain({key: value for key, value in ds.attrs.items() if key not in MAKING}))
    for name in sorted(ds.variables, key=str):
        variable = ds[name].variable
        found.update(_plain([name, variable.dims, variable.shape, variable.dtype.str, variable.attrs]))
        is_text = variable.dtype.kind == "O"
        found.update(_plain(variable.values.tolist()) if is_text else variable.values.tobytes())
    return found.hexdigest()


def _plain(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, default=str).encode()


def read_dataset(path: Path | str) -> xr.Dataset:
    """Read a stage file into memory.

    Raises:
        UserError: the file is missing, damaged, of another program or of another version of the schema, or
            was changed since it was written.
    """
    ds = xr.load_dataset(io.BytesIO(_sealed(Path(path))), engine="h5netcdf")
    if ds.attrs["schema_version"] != SCHEMA_VERSION:
        raise UserError(f"{path}: {of_other_schema(int(ds.attrs['schema_version']))}")
    return ds


def check_seal(path: Path | str) -> None:
    """See that a stage file is as it was written; `read_dataset` does so itself.

    Raises:
        UserError: it is not.
    """
    _sealed(Path(path))


def _sealed(path: Path) -> bytes:
    """Content of a file that is as it was written."""
    if path.is_dir():
        raise UserError(f"{path}: a folder, where a file is expected; {AGAIN}")
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file; run the workflow to make it") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error})") from error
    if not has_seal(data):
        raise UserError(f"{path}: {_why_unsealed(path)}")
    if not is_whole(data):
        raise UserError(f"{path}: damaged, its bytes have changed since it was written; {AGAIN}")
    return data


def _why_unsealed(path: Path) -> str:
    """Say what a file without a seal is, and how to mend it."""
    try:
        with xr.open_dataset(path, engine="h5netcdf") as ds:
            if "schema_version" not in ds.attrs:
                return f"not a file of this program (it has no schema_version); {AGAIN}"
            if ds.attrs["schema_version"] != SCHEMA_VERSION:
                return of_other_schema(int(ds.attrs["schema_version"]))
            return f"changed since it was written, or damaged (its seal is missing); {AGAIN}"
    except Exception as error:  # whatever a NetCDF library makes of bytes that are not NetCDF
        return f"damaged, or not a NetCDF-4 file ({error}); {AGAIN}"


def write_vtu(ds: xr.Dataset, path: Path | str, frame: int | None = None) -> list[Path]:
    """Write the fields of a stage file for ParaView.

    The cells go to `path`; where there are interfaces or surface faces with data, these go beside it as lines
    (`name-interface.vtu`, `name-surface.vtu`). Of variables over `frame` one frame is written, by default the
    last. Returns the files written.
    """
    path = Path(path)
    if "face_node_connectivity" not in ds:
        raise UserError(f"{path}: the stage file has no mesh to draw")
    written = []
    for dimension in ("cell", "interface", "surface"):
        fields = _fields(ds, dimension, frame)
        if dimension == "cell" or (ds.sizes.get(dimension, 0) and fields):
            name = path if dimension == "cell" else path.with_name(f"{path.stem}-{dimension}{path.suffix}")
            _write_mesh(ds, dimension, fields, name)
            written.append(name)
    return written


def _write_mesh(ds: xr.Dataset, dimension: str, fields: dict[str, NDArray], path: Path) -> None:
    import meshio  # half a second, and most stages never need it

    _, _, connectivity, kind = LOCATIONS[dimension]
    points = np.column_stack([ds["node_x"], ds["node_y"], np.zeros(ds.sizes["node"])])
    cells = [(kind, ds[connectivity].values.astype(np.int64))]
    data = {name: [values] for name, values in fields.items()}
    with whole_file(path) as partial:
        meshio.Mesh(points, cells, cell_data=data).write(partial, file_format="vtu")


def _fields(ds: xr.Dataset, dimension: str, frame: int | None) -> dict[str, NDArray]:
    """Return the numeric variables on a dimension, one row for each element, components flattened."""
    fields = {}
    for name, variable in ds.data_vars.items():
        is_topology = str(name).endswith("_node_connectivity")
        if dimension not in variable.dims or is_topology or variable.dtype.kind not in "biuf":
            continue
        if "frame" in variable.dims:
            variable = variable.isel(frame=-1 if frame is None else frame)
        values = variable.transpose(dimension, ...).values
        values = values.astype(np.int8) if values.dtype == bool else values
        fields[str(name)] = values if values.ndim == 1 else values.reshape(len(values), -1)
    return fields


def _topology(long_name: str, attributes: dict[str, Any]) -> tuple[tuple[()], np.int32, dict[str, Any]]:
    return ((), np.int32(0), attributes | {"long_name": long_name})


def _connectivity(
    dimension: str, corner: str, nodes: NDArray[np.int64], location: str
) -> tuple[tuple[str, str], NDArray[np.int32], dict[str, Any]]:
    attributes = {
        "cf_role": f"{location}_node_connectivity",
        "start_index": 0,
        "long_name": f"nodes of each {dimension}",
    }
    return ((dimension, corner), nodes.astype(np.int32), attributes)


def _location(variable: xr.DataArray) -> dict[str, str]:
    """Return the attributes that tie a variable to its topology, empty for the topology itself."""
    if "cf_role" in variable.attrs or variable.name in ("node_x", "node_y"):
        return {}
    for dimension, (topology, location, _, _) in LOCATIONS.items():
        if dimension in variable.dims:
            return {"mesh": topology, "location": location}
    return {}


def _encoding(variable: xr.Variable) -> dict[str, Any]:
    """Compress numbers, with checksums for other readers; nothing is for missing values but NaN itself."""
    if variable.ndim == 0 or variable.size == 0 or variable.dtype.kind not in "biuf":
        return {}
    packing: dict[str, Any] = {"zlib": True, "complevel": 1, "shuffle": True, "fletcher32": True}
    return packing | ({"_FillValue": None} if variable.dtype.kind == "f" else {})


def _attribute(value: Any) -> Any:
    """Return a value as NetCDF can hold it."""
    if isinstance(value, bool | np.bool_):
        return int(value)
    if isinstance(value, str | int | float | np.number):
        return value
    if isinstance(value, Path):
        return value.as_posix()
    return json.dumps(value, sort_keys=True)
