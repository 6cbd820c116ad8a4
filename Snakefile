# Faultline: layered-oxide cathode particles from the furnace to their cracks.
#
#   snakemake                                    the study in config/config.yaml
#   snakemake --configfile config/quick.yaml     another study
#   snakemake -n                                 what would run
#
# Each stage has its rule in workflow/rules/, its script in workflow/scripts/ and its package in workflow/faultline/.


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/microstructure.smk"
include: "workflow/rules/defects.smk"
include: "workflow/rules/exposure.smk"
include: "workflow/rules/cycling.smk"
include: "workflow/rules/cracks.smk"
include: "workflow/rules/interface.smk"
include: "workflow/rules/life.smk"
include: "workflow/rules/observables.smk"
include: "workflow/rules/verification.smk"
include: "workflow/rules/benchmarks.smk"
include: "workflow/rules/thresholds.smk"
include: "workflow/rules/gases.smk"
include: "workflow/rules/rankings.smk"
include: "workflow/rules/strategies.smk"
include: "workflow/rules/dislocations.smk"
include: "workflow/rules/reports.smk"
include: "workflow/rules/claims.smk"
include: "workflow/rules/gate.smk"
include: "workflow/rules/vtu.smk"
include: "workflow/rules/sensitivity.smk"


localrules:
    all,
    reports,
    archive,
    gate,
    vtu,
    manifest,
    comparisons,
    threshold_study,
    ranking_study,
    strategies,
    sensitivity,
    sensitivity_study,
    claims,
    claims_table,
    verify,
    verification_table,
    verification_gate,
    bench,
    benchmark_overhead,
    benchmark_table,


rule verify:
    input:
        rules.verification_gate.output,
        VERIFICATION_REPORT,


rule claims:
    input:
        rules.claims_table.output if STUDY.claims else [],
        CLAIMS_REPORTS,


rule all:
    default_target: True
    input:
        REPORTS,
        rules.comparisons.output,
        rules.claims.input,
        rules.gate.output,
        rules.verify.input if STUDY.settings.verify else [],


include: "workflow/rules/archive.smk"


rule reports:
    input:
        REPORTS,
        CLAIMS_REPORTS,


rule bench:
    input:
        rules.benchmark_table.output,


rule sensitivity:
    input:
        rules.sensitivity_notebook.output.html,
        SENSITIVITY_FILES,


rule vtu:
    input:
        VTU_FILES,


onsuccess:
    further = [VERIFICATION_REPORT, rules.sensitivity_notebook.output.html]
    print(closing_words(REPORTS + CLAIMS_REPORTS, further), file=sys.stderr)


onerror:
    print(failure_words(), file=sys.stderr)
