rule microstructure:
    input:
        image_of,
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
