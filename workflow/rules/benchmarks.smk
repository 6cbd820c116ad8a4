# What the engines cost against peers. The groups are modules of faultline.benchmarks.
BENCHMARK = f"{BENCHMARKS}/groups/{{group}}.csv"
BENCHMARK_GROUPS = ["accuracy", "fracture", "charge", "dislocations", "growth"]


rule benchmark_group:
    input:
        ancient(benchmark_before),
    output:
        BENCHMARK,
    log:
        f"{LOGS}/benchmarks/{{group}}.log",
    benchmark:
        f"{BENCHMARKS}/benchmarks/{{group}}.tsv"
    wildcard_constraints:
        group="|".join(BENCHMARK_GROUPS),
    conda:
        "../../envs/faultline.yaml"
    params:
        group="{group}",
        code=lambda wildcards: code_of(
            "scripts/benchmark_group.py", f"faultline/benchmarks/{wildcards.group}.py"
        ),
    message:
        "benchmarks: {wildcards.group}"
    script:
        "../scripts/benchmark_group.py"


# Reads what the last run of the study left behind, so it looks again after every run.
rule benchmark_overhead:
    input:
        ancient(BENCHMARK.format(group=BENCHMARK_GROUPS[-1])),
    output:
        BENCHMARK.format(group="overhead"),
    log:
        f"{LOGS}/benchmarks/overhead.log",
    benchmark:
        f"{BENCHMARKS}/benchmarks/overhead.tsv"
    conda:
        "../../envs/faultline.yaml"
    params:
        results=lambda wildcards, output: str(Path(output[0]).parents[2]),
        logs=".snakemake/log",
        measured=lambda wildcards: sorted(
            path.stat().st_mtime_ns for path in Path(LOGS).glob("study/*.log")
        ),
        code=code_of("scripts/benchmark_overhead.py"),
    message:
        "benchmarks: overhead of the study"
    script:
        "../scripts/benchmark_overhead.py"


rule benchmark_table:
    input:
        expand(BENCHMARK, group=[*BENCHMARK_GROUPS, "overhead"]),
    output:
        f"{BENCHMARKS}/benchmarks.csv",
    log:
        f"{LOGS}/benchmarks/table.log",
    benchmark:
        f"{BENCHMARKS}/benchmarks/table.tsv"
    conda:
        "../../envs/faultline.yaml"
    params:
        code=code_of("scripts/joined_table.py"),
    message:
        "benchmarks: table"
    script:
        "../scripts/joined_table.py"
