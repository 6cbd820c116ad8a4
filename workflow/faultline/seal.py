"""The seal of a stage file: one line of text behind the NetCDF, with a hash of every byte before it.

Apart from the rest, since the command line needs it without the library that reads NetCDF.
"""

import hashlib

SEAL = b"\nsealed by faultline, blake2b of all before this line: "
SEAL_LENGTH = len(SEAL) + 2 * hashlib.blake2b().digest_size + 1


def seal_of(content: bytes) -> bytes:
    """The line that belongs behind `content`."""
    return SEAL + hashlib.blake2b(content).hexdigest().encode() + b"\n"


def has_seal(data: bytes) -> bool:
    """Whether a file ends with a seal, right or wrong."""
    return data[-SEAL_LENGTH:].startswith(SEAL)


def is_whole(data: bytes) -> bool:
    """Whether a file ends with the seal of all that stands before it."""
    return data[-SEAL_LENGTH:] == seal_of(data[:-SEAL_LENGTH])
