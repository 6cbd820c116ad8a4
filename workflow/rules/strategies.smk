# A catalogue of strategies: short lives of each on coarse particles, all its seeds in one job, against its control.
rule strategy_runs:
    output:
        STRATEGY,
    log:
        f"{LOGS}/study/strategies/{{strategy}}.log",
    benchmark:
        f"{BENCHMARKS}/study/strategies/{{strategy}}.tsv"
    wildcard_constraints:
        strategy=any_of(STRATEGIES),
    conda:
        "../../envs/faultline.yaml"
    params:
        config=lambda wildcards: STRATEGY_SLICES[wildcards.strategy],
        seeds=list(range(1, STRATEGY_SEEDS + 1)),
        code=code_of("scripts/strategy_runs.py"),
    message:
        "strategy {wildcards.strategy}"
    script:
        "../scripts/strategy_runs.py"


rule strategies:
    input:
        STRATEGY_RUNS,
    output:
        statistics=f"{RESULTS}/study/strategies.json",
        table=report(
            f"{RESULTS}/study/strategies.csv",
            caption="../report/strategies.rst",
            category="Tables",
            labels={"table": "strategies against their controls"},
        ),
    log:
        f"{LOGS}/study/strategies.log",
    benchmark:
        f"{BENCHMARKS}/study/strategies.tsv"
    conda:
        "../../envs/faultline.yaml"
    params:
        entries=STRATEGY_ENTRIES,
        code=code_of("scripts/strategies.py"),
    message:
        "strategies against their controls"
    script:
        "../scripts/strategies.py"
