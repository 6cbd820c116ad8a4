# The last word: names every case that failed and ends with exit code 1. Nothing waits for it.
rule gate:
    input:
        cases=[*METRICS, *DISLOCATION_STATUS],
        thresholds=expand(f"{THRESHOLD}.json", threshold=THRESHOLDS),
        strategies=rules.strategies.output.statistics if STRATEGIES else [],
    output:
        f"{RESULTS}/study/gate.txt",
    log:
        f"{LOGS}/study/gate.log",
    benchmark:
        f"{BENCHMARKS}/study/gate.tsv"
    conda:
        "../../envs/faultline.yaml"
    params:
        cases=[*CASES, *(f"dislocations of {nano}" for nano in DISLOCATION_STUDIES)],
        thresholds=[f"crack thresholds of {name}" for name in THRESHOLDS],
        strategies=list(STRATEGIES),
        code=code_of("scripts/gate.py"),
    message:
        "gate: did every case end well?"
    script:
        "../scripts/gate.py"
