"""Faultline: cracking of layered-oxide cathode particles."""

import os

# Stage files get their names when they are complete, so nothing has to lock them; and some network file
# systems have no locks, where HDF5 would refuse to open a file. It asks once, when it is loaded.
os.environ.setdefault("HDF5_USE_FILE_LOCKING", "FALSE")

__version__ = "0.1.0"
