# A material in gases side by side, at equal hours and at those of the source.
rule gases:
    output:
        fields=f"{GASES}.nc",
        table=report(
            f"{GASES}.csv",
            caption="../report/gases.rst",
            category="Tables",
            labels={"table": "gases: {gases}"},
        ),
        statistics=f"{GASES}.json",
    log:
        f"{LOGS}/study/gases/{{gases}}.log",
    benchmark:
        f"{BENCHMARKS}/study/gases/{{gases}}.tsv"
    wildcard_constraints:
        gases=any_of(GAS_STUDIES),
    conda:
        "../../envs/faultline.yaml"
    params:
        config=lambda wildcards: GAS_SLICES[wildcards.gases],
        code=code_of("scripts/gases.py"),
    message:
        "gases side by side: {wildcards.gases}"
    script:
        "../scripts/gases.py"
