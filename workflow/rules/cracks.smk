# Of the cases that are coupled one way; where cracks relieve stress, cycling gives them.
rule cracks:
    input:
        microstructure=microstructure_of,
        defects=rules.defects.output[0],
        exposure=rules.exposure.output[0],
        condensed=condensed_of,
        cycling=rules.cycling.output[0],
    output:
        f"{BLOCK}/cracks.nc",
    log:
        f"{LOGS}/{{case}}/block-{{first}}-{{last}}/cracks.log",
    benchmark:
        f"{BENCHMARKS}/{{case}}/block-{{first}}-{{last}}/cracks.tsv"
    wildcard_constraints:
        case=any_of(COUPLED["one_way"]),
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
