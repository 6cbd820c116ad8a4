"""Errors that are part of the plan: a user's mistake, and a solve that did not converge."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

log = logging.getLogger(__name__)

AGAIN = "delete it and run the same command again"  # how to mend a file of results


class UserError(Exception):
    """Bad input from the user; shown without a traceback, exit code 1.

    The message names the file and the key, says what is wrong and how to mend it. Several mistakes found
    together stand on one line each.
    """


class NotConverged(Exception):
    """A solve that found no solution; the stage keeps its file, with status ``diverged``.

    `time` (s), `step` and `residual` say where it stopped. `state` is the last good state, if there is one:
    at the level of a stage an xarray Dataset that becomes the content of its file.
    """

    def __init__(
        self,
        message: str,
        time: float | None = None,
        step: int | None = None,
        residual: float | None = None,
        state: Any = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.time = time
        self.step = step
        self.residual = residual
        self.state = state


# How numerical libraries say that numbers, not code, are at fault.
_ASTRAY = re.compile(
    r"\b(nans?|infs?|infinity|infinite|(non-?)?finite|singular|overflow|positive[- ]definite|not converge)\b",
    re.IGNORECASE,
)


def not_converged(error: Exception) -> NotConverged | None:
    """What a solve that ended with this error failed of; None where the code is at fault, not the numbers.

    Numbers are at fault where one overflows, or where a library complains of what is not finite or of a
    singular matrix. The traceback of such an error goes to the log. A NotConverged is returned as it is.
    """
    if isinstance(error, NotConverged):
        return error
    may_be = type(error).__name__ in ("ValueError", "RuntimeError", "LinAlgError")
    if not (isinstance(error, FloatingPointError | OverflowError) or (may_be and _ASTRAY.search(str(error)))):
        return None
    log.error("the numbers went astray", exc_info=error)
    return NotConverged(f"the numbers went astray, {type(error).__name__}: {error}")


@contextmanager
def numbers_may_fail() -> Iterator[None]:
    """Let numbers that go astray end a solve as NotConverged does; as a decorator of what may fail."""
    try:
        yield
    except Exception as error:
        failure = not_converged(error)
        if failure is None or failure is error:
            raise
        raise failure from error
