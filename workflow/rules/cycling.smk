rule cycling:
    input:
        microstructure=microstructure_of,
        defects=rules.defects.output[0],
        exposure=rules.exposure.output[0],
        condensed=condensed_of("two_way"),
    output:
        f"{BLOCK}/cycling.nc",
    log:
        f"{LOGS}/{{case}}/block-{{first}}-{{last}}/cycling.log",
    benchmark:
        f"{BENCHMARKS}/{{case}}/block-{{first}}-{{last}}/cycling.tsv"
    conda:
        "../../envs/faultline.yaml"
    params:
        config=settings_of("cycling"),
        seed=seed_of,
        code=code_of("scripts/cycling.py"),
    message:
        "cycling of {wildcards.case}"
    script:
        "../scripts/cycling.py"
