# What documents state beside what the study computes. Claims on what is not part of the study say so.
CLAIMED_CASES = claimed_cases()
CLAIMED_NANO = claimed_runs("dislocations")
CLAIMED_THRESHOLDS = claimed_runs("thresholds")
CLAIMED_GASES = claimed_runs("gases")
CLAIMED_STRATEGIES = claimed_strategies()
CLAIMS_REPORT = f"{RESULTS}/study/reports/claims.html"
CLAIMS_REPORTS = [CLAIMS_REPORT] if STUDY.claims else []


rule claims_table:
    input:
        metrics=[stage_file(name, "observables") for name in CLAIMED_CASES],
        dislocations=expand(
            rules.dislocations_summary.output.statistics, nano=CLAIMED_NANO
        ),
        statements=expand(
            rules.dislocations_summary.output.statements, nano=CLAIMED_NANO
        ),
        status=expand(rules.dislocations_summary.output.status, nano=CLAIMED_NANO),
        thresholds=expand(
            rules.threshold_study.output.statistics, threshold=CLAIMED_THRESHOLDS
        ),
        gases=expand(rules.gases.output.statistics, gases=CLAIMED_GASES),
        strategies=[rules.strategies.output.table] if CLAIMED_STRATEGIES else [],
    output:
        table=report(
            f"{RESULTS}/study/claims.csv",
            caption="../report/claims.rst",
            category="Tables",
            labels={"table": "claims"},
        ),
        details=f"{RESULTS}/study/claims-details.csv",
    log:
        f"{LOGS}/study/claims.log",
    benchmark:
        f"{BENCHMARKS}/study/claims.tsv"
    conda:
        "../../envs/faultline.yaml"
    params:
        claims=[claim.model_dump(exclude_unset=True) for claim in STUDY.claims],
        cases=CLAIMED_CASES,
        dislocations=CLAIMED_NANO,
        thresholds=CLAIMED_THRESHOLDS,
        gases=CLAIMED_GASES,
        given=given_values(
            STUDY.claims,
            STUDY.cases,
            STUDY.dislocations,
            [strategy.case for strategy in STRATEGIES.values()],
        ),
        code=code_of("scripts/claims.py"),
    message:
        "claims: stated numbers beside computed ones"
    script:
        "../scripts/claims.py"


rule claims_notebook:
    input:
        notebook="workflow/notebooks/claims.ipynb",
        details=rules.claims_table.output.details,
        verified=rules.verification_gate.output if STUDY.settings.verify else [],
    output:
        notebook=f"{RESULTS}/study/reports/claims.ipynb",
        html=report(
            CLAIMS_REPORT,
            caption="../report/report.rst",
            category="Reports",
            labels={"report": "claims"},
        ),
    log:
        f"{LOGS}/study/reports/claims.log",
    benchmark:
        f"{BENCHMARKS}/study/reports/claims.tsv"
    conda:
        "../../envs/faultline.yaml"
    params:
        given=["details"],
        code=code_of("scripts/report_notebook.py", "notebooks/claims.ipynb"),
    message:
        "report: claims"
    script:
        "../scripts/report_notebook.py"
