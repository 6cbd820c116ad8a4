"""Stage files: round trip, damage, VTU."""

import json
from pathlib import Path

import meshio
import numpy as np
import pytest
import xarray as xr

from faultline.dataset import SCHEMA_VERSION, content_hash, read_dataset, ugrid, write_dataset, write_vtu
from faultline.errors import UserError
from faultline.microstructure import particle_dataset, particle_from_dataset, rectangle_particle


@pytest.fixture(scope="module")
def particle():
    return rectangle_particle((2e-6, 1e-6), (8, 4), block_of=lambda p: p[:, 1] > 0.5e-6)


@pytest.fixture
def stage(particle):
    """Return a dataset with fields on all locations and over frames."""
    ds = ugrid(particle)
    rng = np.random.default_rng(1)
    name = {"long_name": "test", "units": "1"}
    ds["strain"] = (("cell", "voigt"), rng.standard_normal((particle.n_cells, 6)), name)
    ds["stress"] = (("frame", "cell"), rng.standard_normal((3, particle.n_cells)), name)
    ds["failed"] = (("frame", "interface"), rng.random((3, particle.n_interfaces)) > 0.5, name)
    ds["film"] = (("surface",), rng.random(particle.n_surface), name)
    ds["voltage"] = (("time",), np.array([3.0, np.nan, 4.0]), {"long_name": "voltage", "units": "V"})
    return ds


def test_round_trip(tmp_path, particle):
    path = tmp_path / "deep" / "microstructure.nc"
    write_dataset(particle_dataset(particle), path, {"seed": 3, "input_hashes": {"a": "b"}, "good": True})
    ds = read_dataset(path)
    assert ds.attrs["seed"] == 3
    assert json.loads(ds.attrs["input_hashes"]) == {"a": "b"}
    assert ds.attrs["status"] == "ok"
    assert ds.attrs["schema_version"] == SCHEMA_VERSION
    again = particle_from_dataset(ds)
    for name in type(particle).__dataclass_fields__:
        assert np.array_equal(getattr(particle, name), getattr(again, name)), name
    assert [p.name for p in path.parent.iterdir()] == ["microstructure.nc"]


def test_fields_are_stored_exactly_and_located(tmp_path, stage):
    path = tmp_path / "stage.nc"
    write_dataset(stage, path)
    ds = read_dataset(path)
    for name in stage.data_vars:
        assert np.array_equal(ds[name], stage[name], equal_nan=ds[name].dtype.kind == "f"), name
    assert (ds["strain"].attrs["mesh"], ds["strain"].attrs["location"]) == ("mesh", "face")
    assert (ds["failed"].attrs["mesh"], ds["failed"].attrs["location"]) == ("interface_mesh", "edge")
    assert (ds["film"].attrs["mesh"], ds["film"].attrs["location"]) == ("surface_mesh", "edge")
    assert "mesh" not in ds["voltage"].attrs
    assert "location" not in stage["strain"].attrs  # the caller's dataset stays as it was


def test_topology_follows_ugrid(tmp_path, stage):
    path = tmp_path / "stage.nc"
    write_dataset(stage, path)
    with xr.open_dataset(path, engine="h5netcdf") as ds:
        assert "UGRID" in ds.attrs["Conventions"]
        meshes = [v for v in ds.data_vars.values() if v.attrs.get("cf_role") == "mesh_topology"]
        assert {int(mesh.attrs["topology_dimension"]) for mesh in meshes} == {1, 2}
        for mesh in meshes:
            x, y = mesh.attrs["node_coordinates"].split()
            assert ds[x].dims == ds[y].dims == ("node",)
            kind = "face" if mesh.attrs["topology_dimension"] == 2 else "edge"
            connectivity = ds[mesh.attrs[f"{kind}_node_connectivity"]]
            assert connectivity.dims[0] == mesh.attrs[f"{kind}_dimension"]
            assert connectivity.attrs["start_index"] == 0
            assert 0 <= connectivity.values.min() <= connectivity.values.max() < ds.sizes["node"]
        for name, variable in ds.data_vars.items():
            assert variable.attrs["long_name"], name


def test_a_failed_write_leaves_the_old_file(tmp_path, stage, monkeypatch):
    path = tmp_path / "stage.nc"
    write_dataset(stage, path)
    before = path.read_bytes()
    write_bytes = Path.write_bytes

    def interrupted(self, data):
        write_bytes(self, data[: len(data) // 2])
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_dataset(stage, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"nowhere\.nc.*no such file"):
        read_dataset(tmp_path / "nowhere.nc")


@pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 0.99])
def test_a_truncated_file_is_named(tmp_path, stage, kept):
    path = tmp_path / "stage.nc"
    write_dataset(stage, path)
    data = path.read_bytes()
    path.write_bytes(data[: int(kept * len(data))])
    with pytest.raises(UserError, match=r"stage\.nc.*damaged"):
        read_dataset(path)


def test_flipped_bits_in_the_data_are_noticed(tmp_path, stage):
    import h5py

    path = tmp_path / "stage.nc"
    write_dataset(stage, path)
    with h5py.File(path) as file:
        chunk = file["strain"].id.get_chunk_info(0)
    data = bytearray(path.read_bytes())
    data[chunk.byte_offset + chunk.size // 2] ^= 0xFF
    path.write_bytes(bytes(data))
    with pytest.raises(UserError, match="damaged"):
        read_dataset(path)


def test_what_netcdf_tools_change_is_refused(tmp_path, stage):
    import h5py

    path = tmp_path / "stage.nc"
    write_dataset(stage, path)
    with xr.open_dataset(path, engine="h5netcdf") as ds:
        assert float(ds["film"][0]) == float(stage["film"][0])  # they can read it
    with h5py.File(path, "r+") as file:
        file["film"][0] += 1.0
    with pytest.raises(UserError, match=r"stage\.nc: changed since it was written"):
        read_dataset(path)
    folder = tmp_path / "folder.nc"
    folder.mkdir()
    with pytest.raises(UserError, match=r"folder\.nc: a folder"):
        read_dataset(folder)


def test_content_hash_tells_results_from_their_making(stage):
    same = stage.assign_attrs(wall_time_s=1.0, created="now", seed=3)
    assert content_hash(same) == content_hash(stage)
    labels = stage.assign(label=("run", np.array(["a", "b"], dtype=object)))
    changed = [
        stage.assign_attrs(status="diverged"),
        stage.drop_vars("film"),
        stage.rename(film="layer"),
        stage.assign(film=stage["film"] + 1e-16),
        stage.assign(film=stage["film"].assign_attrs(units="m")),
        stage.assign(voltage=stage["voltage"].astype(np.float32)),
        stage.rename_dims(time="moment"),
        labels,
        labels.assign(label=("run", np.array(["a", "c"], dtype=object))),
    ]
    assert len({content_hash(ds) for ds in [stage, *changed]}) == 1 + len(changed)


def test_foreign_and_other_versions_are_refused(tmp_path, stage):
    foreign = tmp_path / "foreign.nc"
    xr.Dataset({"x": ("t", [1.0])}).to_netcdf(foreign, engine="h5netcdf")
    with pytest.raises(UserError, match="not a file of this program"):
        read_dataset(foreign)
    text = tmp_path / "text.nc"
    text.write_text("this is no NetCDF file")
    with pytest.raises(UserError, match="damaged, or not a NetCDF-4 file"):
        read_dataset(text)
    other = tmp_path / "other.nc"
    stage.assign_attrs(schema_version=SCHEMA_VERSION + 1).to_netcdf(other, engine="h5netcdf")
    with pytest.raises(UserError, match=f"schema {SCHEMA_VERSION + 1}"):
        read_dataset(other)


def test_vtu(tmp_path, stage, particle):
    cells, lines, surface = write_vtu(stage, tmp_path / "stage.vtu", frame=1)
    mesh = meshio.read(cells)
    assert np.array_equal(mesh.cells_dict["triangle"], particle.cells)
    assert np.allclose(mesh.points[:, :2], particle.vertices, rtol=0, atol=0)
    assert np.array_equal(mesh.cell_data["stress"][0], stage["stress"][1])
    assert mesh.cell_data["strain"][0].shape == (particle.n_cells, 6)
    cracks = meshio.read(lines)
    assert np.array_equal(cracks.cells_dict["line"], particle.interface_faces)
    assert np.array_equal(cracks.cell_data["failed"][0], stage["failed"][1])
    assert "film" in meshio.read(surface).cell_data
    last = meshio.read(write_vtu(stage, tmp_path / "last.vtu")[0])
    assert np.array_equal(last.cell_data["stress"][0], stage["stress"][-1])


def test_vtu_of_a_file_without_mesh_is_refused(tmp_path):
    with pytest.raises(UserError, match="no mesh"):
        write_vtu(xr.Dataset(), tmp_path / "empty.vtu")
