rule microstructure:
    input:
        measured_of,
    output:
        MICROSTRUCTURE,
    log:
        f"{LOGS}/microstructures/{{key}}.log",
    benchmark:
        f"{BENCHMARKS}/microstructures/{{key}}.tsv"
    conda:
        "../../envs/faultline.yaml"
    params:
        config=lambda wildcards: SLICES["microstructure"][OWNERS[wildcards.key]],
        seed=lambda wildcards: CASES[OWNERS[wildcards.key]].seed,
        code=code_of("scripts/microstructure.py"),
    message:
        "microstructure {wildcards.key}"
    script:
        "../scripts/microstructure.py"


rule condensed:
    input:
        microstructure=MICROSTRUCTURE,
    output:
        CONDENSED,
    log:
        f"{LOGS}/microstructures/{{key}}-condensed-{{elasticity}}.log",
    benchmark:
        f"{BENCHMARKS}/microstructures/{{key}}-condensed-{{elasticity}}.tsv"
    conda:
        "../../envs/faultline.yaml"
    params:
        config=lambda wildcards: SLICES["condensed"][case_of_blocks(wildcards)],
        seed=lambda wildcards: CASES[case_of_blocks(wildcards)].seed,
        code=code_of("scripts/condensed.py"),
    message:
        "condensed blocks of {wildcards.key}"
    script:
        "../scripts/condensed.py"
