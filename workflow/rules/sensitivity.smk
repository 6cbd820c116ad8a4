# Which estimate matters most: short lives along random trajectories through the plausible ranges. `snakemake
# sensitivity` runs it; the study does not. Each job takes some trajectories.
SENSITIVITY_REPORT = f"{RESULTS}/study/reports/sensitivity"


rule sensitivity_runs:
    output:
        f"{SENSITIVITY}/trajectories-{{first}}-{{last}}.nc",
    log:
        f"{LOGS}/study/sensitivity/{{screening}}/trajectories-{{first}}-{{last}}.log",
    benchmark:
        f"{BENCHMARKS}/study/sensitivity/{{screening}}/trajectories-{{first}}-{{last}}.tsv"
    wildcard_constraints:
        screening=any_of(SENSITIVITIES),
    conda:
        "../../envs/faultline.yaml"
    params:
        config=lambda wildcards: SENSITIVITY_SLICES[wildcards.screening],
        first=lambda wildcards: int(wildcards.first),
        last=lambda wildcards: int(wildcards.last),
        runs=runs_of_trajectories,
        code=code_of("scripts/sensitivity_runs.py"),
    message:
        "sensitivity {wildcards.screening}, trajectories {wildcards.first} to {wildcards.last}: {params.runs} lives"
    script:
        "../scripts/sensitivity_runs.py"


rule sensitivity_study:
    input:
        sensitivity_parts,
    output:
        runs=f"{SENSITIVITY}.nc",
        statistics=f"{SENSITIVITY}.json",
        table=report(
            f"{SENSITIVITY}.csv",
            caption="../report/sensitivity.rst",
            category="Tables",
            labels={"table": "sensitivity: {screening}"},
        ),
    log:
        f"{LOGS}/study/sensitivity/{{screening}}.log",
    benchmark:
        f"{BENCHMARKS}/study/sensitivity/{{screening}}.tsv"
    wildcard_constraints:
        screening=any_of(SENSITIVITIES),
    conda:
        "../../envs/faultline.yaml"
    params:
        config=lambda wildcards: SENSITIVITY_SLICES[wildcards.screening],
        factors=lambda wildcards: factors_of_screening(
            SENSITIVITIES[wildcards.screening]
        ),
        contrasts=lambda wildcards: contrasts_of_screening(
            SENSITIVITIES[wildcards.screening]
        ),
        code=code_of("scripts/sensitivity_study.py"),
    message:
        "sensitivity {wildcards.screening}"
    script:
        "../scripts/sensitivity_study.py"


rule sensitivity_notebook:
    input:
        notebook="workflow/notebooks/sensitivity.ipynb",
        manifest=rules.manifest.output[0],
        files=SENSITIVITY_FILES,
    output:
        notebook=f"{SENSITIVITY_REPORT}.ipynb",
        html=report(
            f"{SENSITIVITY_REPORT}.html",
            caption="../report/sensitivity.rst",
            category="Reports",
            labels={"report": "sensitivity"},
        ),
    log:
        f"{LOGS}/study/reports/sensitivity.log",
    benchmark:
        f"{BENCHMARKS}/study/reports/sensitivity.tsv"
    conda:
        "../../envs/faultline.yaml"
    params:
        given=["manifest"],
        code=code_of("scripts/report_notebook.py", "notebooks/sensitivity.ipynb"),
    message:
        "report: sensitivity"
    script:
        "../scripts/report_notebook.py"
