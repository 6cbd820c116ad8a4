rule defects:
    input:
        microstructure=microstructure_of,
        map=strain_map_of,
    output:
        f"{CASE}/defects.nc",
    log:
        f"{LOGS}/{{case}}/defects.log",
    benchmark:
        f"{BENCHMARKS}/{{case}}/defects.tsv"
    conda:
        "../../envs/faultline.yaml"
    params:
        config=settings_of("defects"),
        seed=seed_of,
        code=code_of("scripts/defects.py"),
    message:
        "defects of {wildcards.case}"
    script:
        "../scripts/defects.py"
