rule exposure:
    input:
        microstructure=microstructure_of,
    output:
        f"{CASE}/exposure.nc",
    log:
        f"{LOGS}/{{case}}/exposure.log",
    benchmark:
        f"{BENCHMARKS}/{{case}}/exposure.tsv"
    conda:
        "../../envs/faultline.yaml"
    params:
        config=settings_of("exposure"),
        seed=seed_of,
        code=code_of("scripts/exposure.py"),
    message:
        "exposure of {wildcards.case}"
    script:
        "../scripts/exposure.py"
