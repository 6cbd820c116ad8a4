rule interface:
    input:
        microstructure=microstructure_of,
        defects=rules.defects.output[0],
        exposure=rules.exposure.output[0],
        cycling=rules.cycling.output[0],
        cracks=rules.cracks.output[0],
        statistics=activation_statistics_of,
    output:
        interface=f"{BLOCK}/interface.nc",
        defects=f"{BLOCK}/defects.nc",
    log:
        f"{LOGS}/{{case}}/block-{{first}}-{{last}}/interface.log",
    benchmark:
        f"{BENCHMARKS}/{{case}}/block-{{first}}-{{last}}/interface.tsv"
    conda:
        "../../envs/faultline.yaml"
    params:
        config=settings_of("interface"),
        activation=settings_of("activation"),
        seed=seed_of,
        code=code_of("scripts/interface.py"),
    message:
        "interface of {wildcards.case}"
    script:
        "../scripts/interface.py"
