"""Known solutions against what the engines compute: the table that holds back the reports.

A module with `PROBLEMS` is one group of problems. A problem is a function without
arguments that returns its `Row`s.
"""

from faultline.verification.rows import COLUMNS, Row, check, convergence_order, order_row, run_problems, table

__all__ = ["COLUMNS", "Row", "check", "convergence_order", "order_row", "run_problems", "table"]
