rule interface:
    input:
        microstructure=microstructure_of,
        exposure=rules.exposure.output[0],
        cycling=rules.cycling.output[0],
        cracks=rules.cracks.output[0],
    output:
        f"{BLOCK}/interface.nc",
    log:
        f"{LOGS}/{{case}}/block-{{first}}-{{last}}/interface.log",
    benchmark:
        f"{BENCHMARKS}/{{case}}/block-{{first}}-{{last}}/interface.tsv"
    conda:
        "../../envs/faultline.yaml"
    params:
        config=settings_of("interface"),
        seed=seed_of,
        code=code_of("scripts/interface.py"),
    message:
        "interface of {wildcards.case}"
    script:
        "../scripts/interface.py"
