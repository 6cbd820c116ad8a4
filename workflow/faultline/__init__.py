"""Faultline: cracking of layered-oxide cathode particles."""

__version__ = "0.1.0"
