rule observables:
    input:
        microstructure=microstructure_of,
        defects=rules.defects.output[0],
        exposure=rules.exposure.output[0],
        cycling=lambda wildcards: stage_file(wildcards.case, "cycling"),
        cracks=lambda wildcards: stage_file(wildcards.case, "cracks"),
        interface=lambda wildcards: stage_file(wildcards.case, "interface"),
        activation=lambda wildcards: stage_file(wildcards.case, "activation"),
        life=life_of,
    output:
        f"{CASE}/metrics.json",
    log:
        f"{LOGS}/{{case}}/observables.log",
    benchmark:
        f"{BENCHMARKS}/{{case}}/observables.tsv"
    conda:
        "../../envs/faultline.yaml"
    params:
        config=settings_of("observables"),
        code=code_of("scripts/observables.py"),
    message:
        "observables of {wildcards.case}"
    script:
        "../scripts/observables.py"


rule comparisons:
    input:
        METRICS,
    output:
        cases=report(
            f"{RESULTS}/study/cases.csv",
            caption="../report/cases.rst",
            category="Tables",
            labels={"table": "cases"},
        ),
        comparisons=report(
            f"{RESULTS}/study/comparisons.csv",
            caption="../report/comparisons.rst",
            category="Tables",
            labels={"table": "comparisons"},
        ),
    log:
        f"{LOGS}/study/comparisons.log",
    benchmark:
        f"{BENCHMARKS}/study/comparisons.tsv"
    conda:
        "../../envs/faultline.yaml"
    params:
        cases=list(CASES),
        comparisons=[
            comparison.model_dump() for comparison in STUDY.settings.comparisons
        ],
        code=code_of("scripts/comparisons.py"),
    message:
        "cases against their controls"
    script:
        "../scripts/comparisons.py"
