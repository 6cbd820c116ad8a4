# The finished study as one file to keep, on demand: `snakemake archive`. It is not made where a case has failed.
rule archive:
    input:
        rules.all.input,
    output:
        f"{RESULTS}/study/archive.zip",
    log:
        f"{LOGS}/study/archive.log",
    benchmark:
        f"{BENCHMARKS}/study/archive.tsv"
    conda:
        "../../envs/faultline.yaml"
    params:
        study=STUDY.file,
        code=code_of("scripts/archive.py"),
    message:
        "archive of the study"
    script:
        "../scripts/archive.py"
