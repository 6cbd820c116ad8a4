# Many cycles, block by block: what cracks, corrosion and isolation make of each other.
rule life_block:
    input:
        microstructure=microstructure_of,
        defects=rules.defects.output[0],
        exposure=rules.exposure.output[0],
        condensed=condensed_of,
        state=block_before,
        statistics=activation_statistics_of,
    output:
        life=f"{BLOCK}/life.nc",
        state=f"{BLOCK}/state.nc",
    log:
        f"{LOGS}/{{case}}/block-{{first}}-{{last}}/life.log",
    benchmark:
        f"{BENCHMARKS}/{{case}}/block-{{first}}-{{last}}/life.tsv"
    wildcard_constraints:
        case=any_of(LIVES),
    conda:
        "../../envs/faultline.yaml"
    params:
        config=settings_of("life"),
        seed=seed_of,
        first=lambda wildcards: int(wildcards.first),
        last=lambda wildcards: int(wildcards.last),
        code=code_of("scripts/life_block.py"),
    message:
        "life of {wildcards.case}, cycles {wildcards.first} to {wildcards.last}"
    script:
        "../scripts/life_block.py"


rule life:
    input:
        blocks_of_life,
    output:
        f"{CASE}/life.nc",
    log:
        f"{LOGS}/{{case}}/life.log",
    benchmark:
        f"{BENCHMARKS}/{{case}}/life.tsv"
    wildcard_constraints:
        case=any_of(LIVES),
    conda:
        "../../envs/faultline.yaml"
    params:
        seed=seed_of,
        code=code_of("scripts/life.py"),
    message:
        "life of {wildcards.case}"
    script:
        "../scripts/life.py"
