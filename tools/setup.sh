#!/usr/bin/env bash
# Makes the environment that everything else runs in: uv, the locked packages as bytecode, a gmsh that loads.
# Uses nothing but Python 3.11 to 3.13, and writes nothing outside the project but uv's package cache.
# Arguments go to `uv sync`: --group peers installs what benchmarks compare with, too.
set -euo pipefail
cd "$(dirname "$0")/.."

UV_VERSION=0.13.8 # installed where no uv is found
UV_MINIMUM=0.8.0   # oldest one that reads the lock file

# The environment of the caller must not leak in; a missing or read-only home must not stop us.
unset PYTHONDONTWRITEBYTECODE PYTHONPATH PYTHONHOME VIRTUAL_ENV
if [ ! -w "${HOME:-/nonexistent}" ]; then
    export XDG_CACHE_HOME=$PWD/.tools/cache
fi

stop() {
    printf '\n%s\n\n' "$1" >&2
    exit 1
}

is_new_enough() {
    [ "$(printf '%s\n' "$UV_MINIMUM" "$1" | sort -V | head -1)" = "$UV_MINIMUM" ]
}

find_python() {
    local candidate
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11 python}; do
        if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then
            "$candidate" -c 'import sys; print(sys.executable)'
            return
        fi
    done
    stop "Faultline needs Python 3.11, 3.12 or 3.13; found: $(${PYTHON:-python3} --version 2>&1 || echo none).
Install one of these, or name it: make PYTHON=/path/to/python3.12 reproduce"
}

# A uv on the PATH is used if it is new enough; otherwise a pinned one is installed into .tools/.
find_uv() {
    local found
    found=$(command -v uv || true)
    if [ -n "$found" ] && is_new_enough "$("$found" --version | cut -d' ' -f2)"; then
        echo "$found"
        return
    fi
    if [ ! -x .tools/venv/bin/uv ] || [ "$(.tools/venv/bin/uv --version | cut -d' ' -f2)" != "$UV_VERSION" ]; then
        echo "Installing uv $UV_VERSION into .tools/ ..." >&2
        "$1" -m venv --clear .tools/venv >/dev/null ||
            stop "Python cannot make a virtual environment. On Debian or Ubuntu: apt-get install -y python3-venv"
        .tools/venv/bin/python -m pip install --quiet --disable-pip-version-check "uv==$UV_VERSION" >&2 ||
            stop "uv could not be installed; is a package index in reach?"
    fi
    echo "$PWD/.tools/venv/bin/uv"
}

check_gmsh() {
    local error
    error=$(.venv/bin/python -c 'import gmsh; gmsh.initialize(interruptible=False); gmsh.finalize()' 2>&1) && return
    case $error in
    *"cannot open shared object file"*)
        stop "gmsh, the mesh generator, needs system libraries that are missing:
  $(grep -o '[^ ]*: cannot open shared object file' <<<"$error" | tail -1)
Debian or Ubuntu:  apt-get install -y libglu1-mesa libgl1 libxcursor1 libxft2 libxinerama1
Fedora or RHEL:    dnf install -y mesa-libGLU libGL libXcursor libXft libXinerama
conda:             conda install -c conda-forge libglu xorg-libxcursor xorg-libxft xorg-libxinerama
Then run the same command again."
        ;;
    *) stop "gmsh, the mesh generator, does not start:
$error" ;;
    esac
}

python=$(find_python)
mkdir -p .tools
uv=$(find_uv "$python")
ln -sfn "$uv" .tools/uv
if ! .venv/bin/python -c '' 2>/dev/null; then
    echo "Installing the locked environment into .venv/ (about 1 GB, a few minutes the first time) ..."
fi
UV_PYTHON_DOWNLOADS=never "$uv" sync --locked --compile-bytecode --python "$python" --quiet "$@"
check_gmsh
touch .venv/.complete
