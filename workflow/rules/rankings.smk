# Which variable moves the cracks most: short lives at either end of each. Each job takes a group of seeds.
rule ranking_runs:
    output:
        f"{RANKING}/seeds-{{first}}-{{last}}.nc",
    log:
        f"{LOGS}/study/rankings/{{ranking}}/seeds-{{first}}-{{last}}.log",
    benchmark:
        f"{BENCHMARKS}/study/rankings/{{ranking}}/seeds-{{first}}-{{last}}.tsv"
    wildcard_constraints:
        ranking=any_of(RANKINGS),
    conda:
        "../../envs/faultline.yaml"
    params:
        config=lambda wildcards: RANKING_SLICES[wildcards.ranking],
        seeds=lambda wildcards: list(
            range(int(wildcards.first), int(wildcards.last) + 1)
        ),
        code=code_of("scripts/ranking_runs.py"),
    message:
        "ranking {wildcards.ranking}, seeds {wildcards.first} to {wildcards.last}"
    script:
        "../scripts/ranking_runs.py"


rule ranking_study:
    input:
        ranking_parts,
    output:
        runs=f"{RANKING}.nc",
        statistics=f"{RANKING}.json",
        table=report(
            f"{RANKING}.csv",
            caption="../report/rankings.rst",
            category="Tables",
            labels={"table": "ranking: {ranking}"},
        ),
    log:
        f"{LOGS}/study/rankings/{{ranking}}.log",
    benchmark:
        f"{BENCHMARKS}/study/rankings/{{ranking}}.tsv"
    wildcard_constraints:
        ranking=any_of(RANKINGS),
    conda:
        "../../envs/faultline.yaml"
    params:
        config=lambda wildcards: RANKING_SLICES[wildcards.ranking],
        code=code_of("scripts/ranking_study.py"),
    message:
        "ranking {wildcards.ranking}"
    script:
        "../scripts/ranking_study.py"
