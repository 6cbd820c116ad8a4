"""Charge and discharge: transport coupled to stress along a protocol."""
