rule cracks:
    input:
        microstructure=microstructure_of,
        defects=rules.defects.output[0],
        exposure=rules.exposure.output[0],
        condensed=condensed_of("one_way"),
        cycling=rules.cycling.output[0],
    output:
        f"{BLOCK}/cracks.nc",
    log:
        f"{LOGS}/{{case}}/block-{{first}}-{{last}}/cracks.log",
    benchmark:
        f"{BENCHMARKS}/{{case}}/block-{{first}}-{{last}}/cracks.tsv"
    conda:
        "../../envs/faultline.yaml"
    params:
        config=settings_of("cracks"),
        seed=seed_of,
        code=code_of("scripts/cracks.py"),
    message:
        "cracks of {wildcards.case}"
    script:
        "../scripts/cracks.py"
