"""Errors that are part of the plan: a user's mistake, and a solve that did not converge."""

from typing import Any

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
