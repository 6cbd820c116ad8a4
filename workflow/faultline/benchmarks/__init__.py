"""What the engines cost against peers that solve the same problem: the table of `make bench`.

Every module with `BENCHMARKS` is one group: functions without arguments that return their `Row`s. Times
differ from machine to machine, so the table holds ratios of two runs that alternate on the same one.
"""

from faultline.benchmarks.rows import COLUMNS, Goal, Row, Timing, alternate, row, run_benchmarks, table

__all__ = ["COLUMNS", "Goal", "Row", "Timing", "alternate", "row", "run_benchmarks", "table"]
