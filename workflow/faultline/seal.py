"""The seal of a stage file: one line of text behind the NetCDF, with a hash of every byte before it.

And the version of its layout. Apart from the rest, since the command line needs both without the library that
reads NetCDF.
"""

import hashlib

from faultline.errors import AGAIN

SCHEMA_VERSION = 2  # 1: without a seal

SEAL = b"\nsealed by faultline, blake2b of all before this line: "
SEAL_LENGTH = len(SEAL) + 2 * hashlib.blake2b().digest_size + 1


def seal_of(content: bytes) -> bytes:
    """The line that belongs behind `content`."""
    return SEAL + hashlib.blake2b(content).hexdigest().encode() + b"\n"


def has_seal(data: bytes) -> bool:
    """Whether a file ends with a seal, right or wrong."""
    return data[-SEAL_LENGTH:].startswith(SEAL)


def of_other_schema(version: int) -> str:
    """What to say of a file of another version of the layout: which it is, and how to mend it."""
    newer = "use the version of this program that wrote it, or " if version > SCHEMA_VERSION else ""
    return f"written with schema {version}, but this program reads {SCHEMA_VERSION}; {newer}{AGAIN}"


def is_whole(data: bytes) -> bool:
    """Whether a file ends with the seal of all that stands before it."""
    return data[-SEAL_LENGTH:] == seal_of(data[:-SEAL_LENGTH])
