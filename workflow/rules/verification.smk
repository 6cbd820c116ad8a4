# Known solutions against the engines. The groups are modules of faultline.verification.
VERIFICATION = f"{RESULTS}/verification"
VERIFICATION_GROUPS = [
    "diffusion",
    "transport",
    "fronts",
    "mechanics",
    "fracture",
    "fatigue",
    "energy",
    "shell",
    "environment",
    "dislocations",
]
VERIFICATION_REPORT = f"{VERIFICATION}/verification.html"


rule verification_group:
    input:
        lambda wildcards: (
            "config/dislocations/linio2.yaml"
            if wildcards.group == "dislocations"
            else []
        ),
    output:
        f"{VERIFICATION}/groups/{{group}}.csv",
    log:
        f"{LOGS}/verification/{{group}}.log",
    benchmark:
        f"{BENCHMARKS}/verification/{{group}}.tsv"
    wildcard_constraints:
        group="|".join(VERIFICATION_GROUPS),
    conda:
        "../../envs/faultline.yaml"
    params:
        group="{group}",
        code=lambda wildcards: code_of(
            "scripts/verification_group.py",
            f"faultline/verification/{wildcards.group}.py",
        ),
    message:
        "verification: {wildcards.group}"
    script:
        "../scripts/verification_group.py"


rule verification_table:
    input:
        expand(rules.verification_group.output[0], group=VERIFICATION_GROUPS),
    output:
        report(
            f"{VERIFICATION}/verification.csv",
            caption="../report/verification.rst",
            category="Tables",
            labels={"table": "verification"},
        ),
    log:
        f"{LOGS}/verification/table.log",
    benchmark:
        f"{BENCHMARKS}/verification/table.tsv"
    conda:
        "../../envs/faultline.yaml"
    params:
        code=code_of("scripts/joined_table.py"),
    message:
        "verification: table"
    script:
        "../scripts/joined_table.py"


# Reports wait for this one: nobody shall read results of an engine that fails its known solutions.
rule verification_gate:
    input:
        rules.verification_table.output[0],
    output:
        f"{VERIFICATION}/gate.txt",
    log:
        f"{LOGS}/verification/gate.log",
    benchmark:
        f"{BENCHMARKS}/verification/gate.tsv"
    conda:
        "../../envs/faultline.yaml"
    params:
        code=code_of("scripts/verification_gate.py"),
    message:
        "verification: does every row pass?"
    script:
        "../scripts/verification_gate.py"


rule verification_notebook:
    input:
        notebook="workflow/notebooks/verification.ipynb",
        table=rules.verification_table.output[0],
    output:
        notebook=f"{VERIFICATION}/verification.ipynb",
        html=report(
            VERIFICATION_REPORT,
            caption="../report/report.rst",
            category="Reports",
            labels={"report": "verification"},
        ),
    log:
        f"{LOGS}/verification/notebook.log",
    benchmark:
        f"{BENCHMARKS}/verification/notebook.tsv"
    conda:
        "../../envs/faultline.yaml"
    params:
        given=["table"],
        code=code_of("scripts/report_notebook.py", "notebooks/verification.ipynb"),
    message:
        "report: verification"
    script:
        "../scripts/report_notebook.py"
