"""Run a report's notebook and turn it into a page; a notebook that fails is kept as NAME.failed.ipynb."""

import os
import tempfile
from pathlib import Path
from typing import Any

from faultline.progress import run_script
from faultline.textfiles import write_text

JUPYTER_FOLDERS = (
    "JUPYTER_CONFIG_DIR",
    "JUPYTER_DATA_DIR",
    "JUPYTER_RUNTIME_DIR",
    "IPYTHONDIR",
    "MPLCONFIGDIR",
)


def main(input: Any, output: Any, params: Any) -> None:
    with tempfile.TemporaryDirectory(prefix="faultline-notebook-") as scratch:
        # Neither the user's Jupyter settings and kernels nor a missing home may change a report.
        os.environ |= dict.fromkeys(JUPYTER_FOLDERS, scratch)
        given = {name: str(getattr(input, name)) for name in params.given}
        execute(Path(input.notebook), Path(output.notebook), given)
    write_text(as_page(Path(output.notebook)), output.html)


def execute(notebook: Path, result: Path, parameters: dict[str, Any]) -> None:
    """Run `notebook` in the project folder on this interpreter; write it, executed, to `result`."""
    import papermill

    unfinished = result.with_name(f"{result.stem}.failed.ipynb")
    papermill.execute_notebook(
        notebook, unfinished, parameters=parameters, kernel_name="python3", progress_bar=False, cwd=Path.cwd()
    )
    unfinished.replace(result)


# The reports hold no formulas, diagrams or widgets, so that a page needs nothing from the network and no
# script; one that came in with the title or comment of a study is not run. Text keeps a readable width, and a
# wide table scrolls in its place.
PAGE = """{%- extends 'lab/index.html.j2' -%}
{%- block html_head_js -%}
<meta http-equiv="Content-Security-Policy" content="script-src 'none'; object-src 'none'; frame-src 'none'">
{%- endblock -%}
{%- block html_head_js_mathjax -%}{%- endblock -%}
{%- block html_head_js_mermaidjs -%}{%- endblock -%}
{%- block html_head_css -%}
<style>
main { max-width: 1080px; margin: 0 auto; }
.jp-OutputArea-output { overflow-x: auto; }
.jp-OutputArea-output img { max-width: 100%; height: auto; }
</style>
{%- endblock -%}
"""


def as_page(notebook: Path) -> str:
    """HTML page of an executed notebook: text and figures, no code, nothing loaded from elsewhere."""
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(
        raw_template=PAGE, exclude_input=True, exclude_input_prompt=True, exclude_output_prompt=True
    )
    page, _ = exporter.from_filename(str(notebook))
    return str(page)


if __name__ == "__main__":
    run_script(main, globals()["snakemake"])
