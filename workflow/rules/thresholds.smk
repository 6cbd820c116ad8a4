# At which voltage particles crack, by the residual strain they were made with. Each job takes a group of seeds.
rule threshold_runs:
    output:
        f"{THRESHOLD}/seeds-{{first}}-{{last}}.nc",
    log:
        f"{LOGS}/study/thresholds/{{threshold}}/seeds-{{first}}-{{last}}.log",
    benchmark:
        f"{BENCHMARKS}/study/thresholds/{{threshold}}/seeds-{{first}}-{{last}}.tsv"
    wildcard_constraints:
        threshold=any_of(THRESHOLDS),
    conda:
        "../../envs/faultline.yaml"
    params:
        config=lambda wildcards: THRESHOLD_SLICES[wildcards.threshold],
        seeds=lambda wildcards: list(
            range(int(wildcards.first), int(wildcards.last) + 1)
        ),
        code=code_of("scripts/threshold_runs.py"),
    message:
        "crack thresholds of {wildcards.threshold}, seeds {wildcards.first} to {wildcards.last}"
    script:
        "../scripts/threshold_runs.py"


rule threshold_study:
    input:
        threshold_parts,
    output:
        runs=f"{THRESHOLD}.nc",
        statistics=f"{THRESHOLD}.json",
    log:
        f"{LOGS}/study/thresholds/{{threshold}}.log",
    benchmark:
        f"{BENCHMARKS}/study/thresholds/{{threshold}}.tsv"
    wildcard_constraints:
        threshold=any_of(THRESHOLDS),
    conda:
        "../../envs/faultline.yaml"
    params:
        config=lambda wildcards: THRESHOLD_SLICES[wildcards.threshold],
        code=code_of("scripts/threshold_study.py"),
    message:
        "crack thresholds of {wildcards.threshold}"
    script:
        "../scripts/threshold_study.py"
