# Where cracks and glide relieve stress within a step, one solve gives both; else the cracks follow (cracks.smk).
rule cycling:
    input:
        microstructure=microstructure_of,
        defects=rules.defects.output[0],
        exposure=rules.exposure.output[0],
    output:
        f"{BLOCK}/cycling.nc",
    log:
        f"{LOGS}/{{case}}/block-{{first}}-{{last}}/cycling.log",
    benchmark:
        f"{BENCHMARKS}/{{case}}/block-{{first}}-{{last}}/cycling.tsv"
    wildcard_constraints:
        case=any_of(COUPLED["one_way"]),
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


rule cycling_with_cracks:
    input:
        microstructure=microstructure_of,
        defects=rules.defects.output[0],
        exposure=rules.exposure.output[0],
        condensed=condensed_of,
    output:
        cycling=f"{BLOCK}/cycling.nc",
        cracks=f"{BLOCK}/cracks.nc",
    log:
        f"{LOGS}/{{case}}/block-{{first}}-{{last}}/cycling.log",
    benchmark:
        f"{BENCHMARKS}/{{case}}/block-{{first}}-{{last}}/cycling.tsv"
    wildcard_constraints:
        case=any_of(COUPLED["two_way"]),
    conda:
        "../../envs/faultline.yaml"
    params:
        config=settings_of("cycling"),
        cracks=settings_of("cracks"),
        seed=seed_of,
        code=code_of("scripts/cycling_with_cracks.py"),
    message:
        "cycling and cracks of {wildcards.case}"
    script:
        "../scripts/cycling_with_cracks.py"
