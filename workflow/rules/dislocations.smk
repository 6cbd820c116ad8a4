# Nanoscale dislocation dynamics: each scenario a job, then what all of them say together, and the report.
DISLOCATION_STUDIES = {study.name: study for study in STUDY.dislocations}
DISLOCATIONS = f"{RESULTS}/dislocations/{{nano}}"
DISLOCATION_REPORT = f"{RESULTS}/study/reports/dislocations-{{nano}}"
DISLOCATION_REPORTS = expand(f"{DISLOCATION_REPORT}.html", nano=DISLOCATION_STUDIES)
DISLOCATION_STATUS = expand(f"{DISLOCATIONS}/status.json", nano=DISLOCATION_STUDIES)
SCENARIO_FILES = {
    name: expand(f"{DISLOCATIONS}/{{scenario}}.nc", nano=name, scenario=study.scenarios)
    for name, study in DISLOCATION_STUDIES.items()
}
ANIMATIONS = {
    name: expand(
        f"{DISLOCATIONS}/burst.gif", nano=[name] if "burst" in study.scenarios else []
    )
    for name, study in DISLOCATION_STUDIES.items()
}


wildcard_constraints:
    nano=any_of(DISLOCATION_STUDIES),


rule dislocations_scenario:
    output:
        f"{DISLOCATIONS}/{{scenario}}.nc",
    log:
        f"{LOGS}/dislocations/{{nano}}/{{scenario}}.log",
    benchmark:
        f"{BENCHMARKS}/dislocations/{{nano}}/{{scenario}}.tsv"
    wildcard_constraints:
        scenario="[a-z]+",
    conda:
        "../../envs/faultline.yaml"
    params:
        config=lambda wildcards: DISLOCATION_STUDIES[wildcards.nano].slice(
            wildcards.scenario
        ),
        scenario="{scenario}",
        code=code_of("scripts/dislocations_scenario.py"),
    message:
        "dislocations: {wildcards.scenario} of {wildcards.nano}"
    script:
        "../scripts/dislocations_scenario.py"


rule dislocations_summary:
    input:
        lambda wildcards: SCENARIO_FILES[wildcards.nano],
    output:
        statements=report(
            f"{DISLOCATIONS}/statements.csv",
            caption="../report/dislocations.rst",
            category="Tables",
            labels={"table": "dislocations {nano}"},
        ),
        statistics=f"{DISLOCATIONS}/statistics.json",
        parameters=f"{DISLOCATIONS}/parameters.csv",
        status=f"{DISLOCATIONS}/status.json",
    log:
        f"{LOGS}/dislocations/{{nano}}/summary.log",
    benchmark:
        f"{BENCHMARKS}/dislocations/{{nano}}/summary.tsv"
    conda:
        "../../envs/faultline.yaml"
    params:
        scenarios=lambda wildcards: DISLOCATION_STUDIES[wildcards.nano].scenarios,
        constants=lambda wildcards: DISLOCATION_STUDIES[wildcards.nano].constants,
        parameters=lambda wildcards: DISLOCATION_STUDIES[wildcards.nano].parameters,
        code=code_of("scripts/dislocations_summary.py"),
    message:
        "dislocations: statements and statistics of {wildcards.nano}"
    script:
        "../scripts/dislocations_summary.py"


rule dislocations_animation:
    input:
        f"{DISLOCATIONS}/burst.nc",
    output:
        f"{DISLOCATIONS}/burst.gif",
    log:
        f"{LOGS}/dislocations/{{nano}}/animation.log",
    benchmark:
        f"{BENCHMARKS}/dislocations/{{nano}}/animation.tsv"
    conda:
        "../../envs/faultline.yaml"
    params:
        code=code_of("scripts/dislocations_animation.py"),
    message:
        "dislocations: animation of a burst of {wildcards.nano}"
    script:
        "../scripts/dislocations_animation.py"


rule dislocations_notebook:
    input:
        lambda wildcards: SCENARIO_FILES[wildcards.nano],
        lambda wildcards: ANIMATIONS[wildcards.nano],
        notebook="workflow/notebooks/dislocations.ipynb",
        statements=rules.dislocations_summary.output.statements,
        statistics=rules.dislocations_summary.output.statistics,
        parameters=rules.dislocations_summary.output.parameters,
        verified=rules.verification_gate.output if STUDY.settings.verify else [],
    output:
        notebook=f"{DISLOCATION_REPORT}.ipynb",
        html=report(
            f"{DISLOCATION_REPORT}.html",
            caption="../report/dislocations.rst",
            category="Reports",
            labels={"report": "dislocations {nano}"},
        ),
    log:
        f"{LOGS}/dislocations/{{nano}}/notebook.log",
    benchmark:
        f"{BENCHMARKS}/dislocations/{{nano}}/notebook.tsv"
    conda:
        "../../envs/faultline.yaml"
    params:
        given=["statements"],
        code=code_of("scripts/report_notebook.py", "notebooks/dislocations.ipynb"),
    message:
        "report: dislocations of {wildcards.nano}"
    script:
        "../scripts/report_notebook.py"
