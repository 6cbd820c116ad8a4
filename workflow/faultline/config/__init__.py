"""Configuration: what a user may write, read and checked.

Import from the modules, so that a stage depends on no more of this package than it uses:

- ``models``: the settings classes, one per block;
- ``protocol``: sentences to steps;
- ``loader``: ``load_study(path, root)``;
- ``case``: ``Study`` and ``Case``;
- ``slices``: ``stage_slice(case, stage)``, for the workflow;
- ``stage``: ``from_slice``, for the scripts of the stages;
- ``describe``: every value of a case with its origin;
- ``reference``: JSON schema and README.
"""
