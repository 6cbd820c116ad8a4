"""Irreversible mechanics: cohesive cracks along interfaces, and glide of the layers in the bulk.

Import from the modules: what only counts cracks (`statistics`) shall not load the engine.
"""
