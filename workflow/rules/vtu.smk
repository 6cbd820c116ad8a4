# Files for ParaView, on demand: `snakemake vtu`.
VTU_STAGES = ["microstructure", "defects", "exposure", "cycling", "cracks", "interface"]
VTU_FILES = [
    f"{RESULTS}/{name}/vtu/{stage}.vtu" for name in CASES for stage in VTU_STAGES
]


rule stage_vtu:
    input:
        lambda wildcards: stage_file(wildcards.case, wildcards.stage),
    output:
        f"{CASE}/vtu/{{stage}}.vtu",
    log:
        f"{LOGS}/{{case}}/vtu/{{stage}}.log",
    benchmark:
        f"{BENCHMARKS}/{{case}}/vtu/{{stage}}.tsv"
    wildcard_constraints:
        stage="|".join(VTU_STAGES),
    conda:
        "../../envs/faultline.yaml"
    params:
        code=code_of("scripts/stage_vtu.py"),
    message:
        "{wildcards.stage} of {wildcards.case} for ParaView"
    script:
        "../scripts/stage_vtu.py"
