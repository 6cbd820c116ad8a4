# make reproduce  sets everything up and runs the study     make test        sets everything up and tests it
# make quick      the same on coarse particles, 1 min       make lint        style, types and workflow checks
# make verify     known solutions against the engines       make vtu         files for ParaView
# make report     Snakemake's own report.html           make bench       the engines against peers, 8 min
# make retry-failed  computes the failed stages again       make unlock      after a killed run, if it asks for it
# make envs       writes envs/ again from uv.lock           make clean-env   removes the environment, not the results
# make bench-gpu  one GPU (CuPy) against the processor, by size; says so where there is none
# make archive    the finished study as one file            make audit      known vulnerabilities of the lock file
# make peers      installs atomman and PARDISO, which verification and benchmarks compare with where they are (C compiler)
# make test-slurm  small studies on a Slurm of two nodes, 6 min: root on Linux, packages slurm-wlm and munge
#   ACCOUNTING=yes  on a Slurm that has a database of jobs, which Snakemake then asks (sacct)
#
# Another study:  make reproduce STUDY=config/my-study.yaml        More to Snakemake:  make reproduce ARGS="-n"

SHELL := /bin/bash
STUDY ?= config/config.yaml
ARGS ?=
BIN := .venv/bin
READY := .venv/.complete
# The default study is found without being named; then Faultline reads it first, and says where a mistake is.
SNAKEMAKE = $(BIN)/snakemake $(if $(filter-out config/config.yaml,$(STUDY)),--configfile $(STUDY)) $(ARGS)
RESULTS = $(shell $(BIN)/python -c 'import yaml; print(yaml.safe_load(open("$(STUDY)")).get("results", "results"))')

ifeq ($(wildcard $(STUDY)),)
$(error There is no study file $(STUDY). Known: $(wildcard config/*.yaml))
endif

# Without bytecode a Snakemake start takes 7 s instead of 1.5 s. The others would let foreign packages in.
unexport PYTHONDONTWRITEBYTECODE PYTHONPATH PYTHONHOME VIRTUAL_ENV

# Snakemake keeps a cache: in the project, as that of the set-up, where there is no home that can be written.
ifeq ($(shell test -w "$$HOME" && echo yes),)
export XDG_CACHE_HOME ?= $(CURDIR)/.tools/cache
endif

.PHONY: reproduce quick test test-slurm lint audit archive verify bench bench-gpu peers report vtu retry-failed unlock envs setup clean-env

reproduce: $(READY)
	@$(SNAKEMAKE)

quick:
	@$(MAKE) --no-print-directory reproduce STUDY=config/quick.yaml

test: $(READY)
	@$(BIN)/pytest -n auto --dist loadgroup

test-slurm:
	@PYTHON="$(PYTHON)" tools/setup.sh --group slurm
	@tools/slurm.sh with $(if $(filter yes,$(ACCOUNTING)),--accounting) $(BIN)/pytest -n 4 tests/slurm/on_slurm.py

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow/rules
	$(BIN)/snakemake --lint

audit: $(READY)
	@$(BIN)/python tools/audit.py

archive: $(READY)
	@$(SNAKEMAKE) -- archive

verify: $(READY)
	@$(SNAKEMAKE) -- verify

bench: $(READY)
	@$(SNAKEMAKE) -- bench

bench-gpu: $(READY)
	@$(BIN)/python -m faultline.benchmarks.gpu $(RESULTS)/benchmarks/gpu.csv

report: reproduce
	@$(SNAKEMAKE) --report $(RESULTS)/study/report.html

peers:
	@PYTHON="$(PYTHON)" tools/setup.sh --group peers

vtu: $(READY)
	@$(SNAKEMAKE) -- vtu

retry-failed: $(READY)
	@$(BIN)/python -m faultline retry-failed $(STUDY)
	@$(SNAKEMAKE)

unlock: $(READY)
	@$(SNAKEMAKE) --unlock

envs: $(READY)
	@$(BIN)/python tools/export_environment.py

setup: $(READY)

$(READY): pyproject.toml uv.lock tools/setup.sh
	@PYTHON="$(PYTHON)" tools/setup.sh

clean-env:
	rm -rf .venv .tools .mypy_cache .ruff_cache .pytest_cache
