"""Where a run spends its time: a profile, its own times added up by what the code is there for.

A function of a package with a purpose (FiPy, linear algebra, files) counts for that purpose. One without,
such as most of NumPy or a built-in, counts for whoever called it.
"""

from __future__ import annotations

import cProfile
import pstats
from collections.abc import Callable
from typing import Any

Function = tuple[str, int, str]  # file, line, name: the key of pstats
Shares = dict[str, float]

LINEAR_ALGEBRA = ("factorisation", "triangular solves", "sparse products", "dense algebra")
FIPY, LAWS, FILES, IMPORTS, OTHER = "FiPy", "laws and assembly", "files", "imports", "other"
PHASES = (*LINEAR_ALGEBRA, LAWS, FIPY, FILES, IMPORTS, OTHER)
_BY_NAME = {
    "gstrf": "factorisation",
    "splu": "factorisation",
    "of 'SuperLU' objects": "triangular solves",
    "_matvec": "sparse products",
    "csr_matmat": "sparse products",
    "__matmul__": "sparse products",
    "_matmul": "sparse products",
}
_BY_FILE = {
    "/numpy/linalg/": "dense algebra",
    "/scipy/linalg/": "dense algebra",
    "/fipy/": FIPY,
    "/xarray/": FILES,
    "/h5netcdf/": FILES,
    "/h5py/": FILES,
    "/faultline/dataset.py": FILES,
    "/faultline/provenance.py": FILES,
    "/faultline/": LAWS,
    "<frozen importlib": IMPORTS,
}


def phase_of(function: Function) -> str | None:
    """Phase that a function stands for; None if that depends on who calls it."""
    file, _, name = function
    if file == "~" or "/scipy/sparse/" in file:
        return next((phase for part, phase in _BY_NAME.items() if part in name), None)
    return next((phase for part, phase in _BY_FILE.items() if part in file.replace("\\", "/")), None)


def split(stats: dict[Function, tuple[int, int, float, float, dict[Function, Any]]]) -> Shares:
    """Seconds of every phase, from the `stats` of a `pstats.Stats`; they add up to its total."""
    known: dict[Function, Shares] = {}

    def shares(function: Function, below: frozenset[Function]) -> Shares:
        """Parts, of one in all, in which a function works for the phases."""
        phase = phase_of(function)
        if phase is not None:
            return {phase: 1.0}
        if function in known:
            return known[function]
        callers = {c: entry[2] for c, entry in stats[function][4].items() if c not in below and c != function}
        total = sum(callers.values())
        if not callers:
            return {OTHER: 1.0}
        result: Shares = {}
        for caller, seconds in callers.items():
            weight = seconds / total if total > 0 else 1 / len(callers)
            for name, part in shares(caller, below | {function}).items():
                result[name] = result.get(name, 0.0) + weight * part
        if not below:  # complete: no caller was left out to avoid a circle
            known[function] = result
        return result

    seconds = dict.fromkeys(PHASES, 0.0)
    for function, (_, _, own, _, _) in stats.items():
        for name, part in shares(function, frozenset()).items():
            seconds[name] += own * part
    return seconds


def profiled(call: Callable[[], Any]) -> Shares:
    """Run a call under the profiler and split its time; Python code looks slower there than it is."""
    profile = cProfile.Profile()
    profile.runcall(call)
    return split(pstats.Stats(profile).stats)  # type: ignore[attr-defined]


def in_words(seconds: Shares) -> str:
    """Phases of at least half a percent, the longest first, in percent."""
    total = sum(seconds.values())
    parts = sorted(seconds.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {100 * s / total:.0f} %" for name, s in parts if s >= 0.005 * total)
