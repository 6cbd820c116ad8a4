LITHIUM = [name for name, case in CASES.items() if case.material.alkali == "Li"]
NOTEBOOKS = [
    *("cycling", "diffraction", "cracks", "defects", "environment"),
    *(["life"] if LIVES else []),
    *(["nmc811"] if LITHIUM else []),
]
MEASURED_FILES = sorted(
    {
        file
        for case in CASES.values()
        for file in (measured_curves(case) or {"files": {}})["files"].values()
    }
)
REPORT = f"{RESULTS}/study/reports/{{report}}"
STRATEGIES_REPORT = REPORT.format(report="strategies")
REPORTS = [
    *expand(f"{REPORT}.html", report=NOTEBOOKS),
    *([f"{STRATEGIES_REPORT}.html"] if STRATEGIES else []),
    *DISLOCATION_REPORTS,
]


rule manifest:
    output:
        f"{RESULTS}/study/manifest.json",
    log:
        f"{LOGS}/study/manifest.log",
    benchmark:
        f"{BENCHMARKS}/study/manifest.tsv"
    conda:
        "../../envs/faultline.yaml"
    params:
        manifest=manifest_of_study(),
        code=code_of("scripts/manifest.py"),
    message:
        "list of cases and files for the reports"
    script:
        "../scripts/manifest.py"


rule report_notebook:
    input:
        notebook="workflow/notebooks/{report}.ipynb",
        manifest=rules.manifest.output[0],
        files=[stage_file(name, stage) for name in CASES for stage in REPORTED],
        lives=[stage_file(name, "life") for name in LIVES],
        tables=rules.comparisons.output,
        thresholds=lambda wildcards: (
            THRESHOLD_RUNS if wildcards.report == "defects" else []
        ),
        gases=lambda wildcards: GAS_FILES if wildcards.report == "environment" else [],
        rankings=lambda wildcards: (
            RANKING_FILES if wildcards.report == "environment" else []
        ),
        measured=lambda wildcards: (
            MEASURED_FILES if wildcards.report == "diffraction" else []
        ),
        verified=rules.verification_gate.output if STUDY.settings.verify else [],
    output:
        notebook=f"{REPORT}.ipynb",
        html=report(
            f"{REPORT}.html",
            caption="../report/report.rst",
            category="Reports",
            labels={"report": "{report}"},
        ),
    log:
        f"{LOGS}/study/reports/{{report}}.log",
    benchmark:
        f"{BENCHMARKS}/study/reports/{{report}}.tsv"
    wildcard_constraints:
        report="|".join(NOTEBOOKS),
    conda:
        "../../envs/faultline.yaml"
    params:
        given=["manifest"],
        code=lambda wildcards: code_of(
            "scripts/report_notebook.py", f"notebooks/{wildcards.report}.ipynb"
        ),
    message:
        "report: {wildcards.report}"
    script:
        "../scripts/report_notebook.py"


rule strategies_notebook:
    input:
        notebook="workflow/notebooks/strategies.ipynb",
        manifest=rules.manifest.output[0],
        runs=STRATEGY_RUNS,
        tables=STRATEGY_FILES,
        verified=rules.verification_gate.output if STUDY.settings.verify else [],
    output:
        notebook=f"{STRATEGIES_REPORT}.ipynb",
        html=report(
            f"{STRATEGIES_REPORT}.html",
            caption="../report/strategies.rst",
            category="Reports",
            labels={"report": "strategies"},
        ),
    log:
        f"{LOGS}/study/reports/strategies.log",
    benchmark:
        f"{BENCHMARKS}/study/reports/strategies.tsv"
    conda:
        "../../envs/faultline.yaml"
    params:
        given=["manifest"],
        code=code_of("scripts/report_notebook.py", "notebooks/strategies.ipynb"),
    message:
        "report: strategies"
    script:
        "../scripts/report_notebook.py"
