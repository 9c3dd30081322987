"""All that is made from the notebooks: python tools/notebooks.py COMMAND [names]

run      execute notebooks in place (all, or those named), clean them and export the package
colab    put the badge and the install cell for Colab into the notebooks, without running them
check    fail unless notebooks are clean and package and README are in step with them
options  write what the command line's help says of other modules' defaults and choices
readme   write README.md and its pictures from nbs/index.ipynb
process  prepare the notebooks for Quarto in _proc/, without needing Quarto

nbs/ has the lessons, nbs/engine/ what they stand on and a first reading can do without.
"""
import argparse
import filecmp
import html
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import gallery
import nbformat

ROOT = Path(__file__).resolve().parent.parent
NBS = ROOT/"nbs"
REPO = "vae-circuits/vae_circuits"

INSTALL = f'''#| hide
# on Colab: install the library; anywhere else: nothing
import sys
if "google.colab" in sys.modules:
    %pip install -q "vae_circuits[notebooks] @ git+https://github.com/{REPO}"'''


def notebooks(names=(), root=ROOT):
    "The notebooks of `root`, in order, or those whose names begin with one of `names`."
    found = [
        p
        for folder in ("", "engine")
        for p in sorted((root/"nbs"/folder).glob("*.ipynb"))
        if p.stem.startswith(tuple(names) or "")
    ]
    if not found:
        sys.exit(
            f"no notebook is called {' or '.join(names)}; there are"
            f" {', '.join(p.stem for p in notebooks())}"
        )
    return found


def run(names):
    """Execute, clean, export. The package is exported first, so that notebooks see each other's
    present code."""
    nbdev("export", ROOT)
    with tempfile.TemporaryDirectory() as home:
        environment = sharp(Path(home))
        for path in notebooks(names):
            print(f"running {path.stem}", flush=True)
            execute(path, environment)
    nbdev("clean", ROOT)
    readme(ROOT)


def sharp(home):
    """The environment of kernels that draw figures with twice the dots, to be shown at the same
    size; their profile is written to the folder `home`."""
    profile = home/"profile_default"/"ipython_kernel_config.py"
    profile.parent.mkdir()
    profile.write_text('c.InlineBackend.figure_formats = {"retina"}\n')
    return {**os.environ, "IPYTHONDIR": str(home)}


def execute(path, environment):
    "One notebook in place, but for the cells that are not to be evaluated."
    from nbclient import NotebookClient
    notebook = with_colab(nbformat.read(path, as_version=4), path)
    skipped = [c for c in notebook.cells if re.search(r"^#\s*\|\s*eval:\s*false", c.source, re.M)]
    for cell in skipped: cell.metadata["tags"], cell.outputs = ["skip-execution"], []
    here = {"metadata": {"path": str(path.parent)}}
    client = NotebookClient(notebook, timeout=1200, store_widget_state=False, resources=here,
                            coalesce_streams=True)  # as one text, however it came
    client.execute(env=environment)
    for cell in skipped: del cell.metadata["tags"]
    for cell in notebook.cells:
        if cell.cell_type == "code": cell.outputs = [o for o in cell.outputs if not passing(o)]
    nbformat.write(notebook, path)


def passing(output):
    "Progress bars and live widgets mean nothing in a stored notebook."
    return output.get(
        "name"
    ) == "stderr" or "application/vnd.jupyter.widget-view+json" in output.get("data", {})


def with_colab(notebook, path):
    """The notebook, which lies at `path`, with a badge for Colab and an install cell right under
    its title: put in, or put right."""
    # not in the first cell, where nbdev keeps only title and subtitle
    prefix = path.stem.split("_")[0]
    place = path.name if path.parent.name == "nbs" else f"{path.parent.name}/{path.name}"
    up = "../" * place.count("/")
    link = f"https://colab.research.google.com/github/{REPO}/blob/main/nbs/{place}"
    made = [
        nbformat.v4.new_markdown_cell(
            f"[![Open in Colab]({up}colab.svg)]({link})", id=f"{prefix}-colab"
        ),
        nbformat.v4.new_code_cell(INSTALL, id=f"{prefix}-install"),
    ]
    title, *rest = notebook.cells
    notebook.cells = [title, *made, *(c for c in rest if c.id not in {m.id for m in made})]
    return notebook


def colab(root, names=()):
    "Badge and install cell in every notebook of `root`, or in those named."
    for path in notebooks(names, root):
        nbformat.write(with_colab(nbformat.read(path, as_version=4), path), path)


def nbdev(command, root):
    "Run nbdev_export or nbdev_clean on the project in `root`."
    subprocess.run([Path(sys.executable).with_name(f"nbdev_{command}")], cwd=root, check=True)


def check():
    "Make everything again in a copy and compare."
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)/ROOT.name
        shutil.copytree(
            ROOT,
            copy,
            ignore=shutil.ignore_patterns(
                ".git",
                ".venv",
                "results",
                "runs",
                "_proc",
                "_docs",
                "build",
                "dist",
                "*.safetensors",
                "nbdev.yml",
            ),
        )
        for module in (copy/"vae_circuits").glob("*.py"):
            module.unlink() if module.name != "__init__.py" else None
        colab(copy)
        nbdev("clean", copy)
        nbdev("export", copy)
        readme(copy)
        made = [
            p.relative_to(copy)
            for pattern in ("nbs/**/*.ipynb", "nbs/images/*", "vae_circuits/*.py", "README.md")
            for p in copy.glob(pattern)
        ]
        there = [
            p.relative_to(ROOT)
            for pattern in ("vae_circuits/*.py", "nbs/images/*")
            for p in ROOT.glob(pattern)
        ]
        stale = sorted({
            str(p)
            for p in made + there
            if not (ROOT / p).is_file()
            or not (copy / p).is_file()
            or not filecmp.cmp(ROOT / p, copy / p, shallow=False)
        })
    if stale:
        sys.exit(
            f"not in step with the notebooks, or not clean: {', '.join(stale)}. Run: make export"
            " readme"
        )
    print(f"{len(made)} files are in step with the notebooks")


def readme(root):
    """README.md from index.ipynb: hidden cells, live pages and the badge left out, directives
    stripped, pictures beside the notebooks."""
    from nbconvert import MarkdownExporter
    notebook = nbformat.read(root/"nbs"/"index.ipynb", as_version=4)
    notebook.cells = [c for c in notebook.cells
                      if not re.match(r"#\s*\|\s*hide", c.source) and c.id != "index-colab"]
    notebook.metadata["language_info"] = {"name": "python"}
    code = {i: c for i, c in enumerate(notebook.cells) if c.cell_type == "code"}
    said = {i: picture(c) for i, c in code.items()}
    for cell in code.values():
        # what lives in a browser has no place in a text
        cell.outputs = [o for o in cell.outputs
                        if "<iframe" not in o.get("data", {}).get("text/html", "")]
        echo = "#| echo: false" not in cell.source
        cell.source = re.sub(r"^#\s*\|.*\n", "", cell.source, flags=re.M) if echo else ""
    text, resources = MarkdownExporter().from_notebook_node(notebook)
    keep_pictures(root/"nbs"/"images", resources["outputs"])
    text = re.sub(r"!\[png\]\((output_(\d+)_\d+\.png)\)",
                  lambda m: said[int(m[2])].format(f"nbs/images/{m[1]}"), text)
    text = re.sub(r"\]\(((?:engine/)?\w+)\.(ipynb|png)", r"](nbs/\1.\2", text)
    text = re.sub(r"```python\s*```\n", "", text)
    (root/"README.md").write_text(re.sub(r"\n\s*\n\s*\n", "\n\n", text).strip() + "\n")


def picture(cell):
    "A tag for the picture of a cell, its file left open: what it shows, and how wide it is shown."
    sizes = [o.get("metadata", {}).get("image/png", {}).get("width") for o in cell.outputs]
    width = next((f' width="{w}"' for w in sizes if w), "")
    return f'<img src="{{}}" alt="{html.escape(gallery.described(cell) or "")}"{width}>'


def keep_pictures(folder, pictures):
    "The pictures of a text, in a folder that has nothing else."
    shutil.rmtree(folder, ignore_errors=True)
    for name, data in pictures.items():
        folder.mkdir(exist_ok=True)
        (folder/name).write_bytes(data)


def options(root):
    "What the command line's help says of other modules, looked up and kept for it."
    from vae_circuits import cli
    from vae_circuits.options import OPTIONS
    kept = root/"vae_circuits"/"assets"/OPTIONS
    kept.write_text(json.dumps(cli._looked_up(), indent=1) + "\n", encoding="utf-8")


def process():
    "What nbdev_proc_nbs does, without its attempt to install Quarto."
    from nbdev.doclinks import _build_modidx
    from nbdev.quarto import nbdev_sidebar, refresh_quarto_yml
    from nbdev.serve import proc_nbs
    os.chdir(ROOT)
    refresh_quarto_yml()
    _build_modidx()
    nbdev_sidebar.__wrapped__()
    proc_nbs(n_workers=0)
    made = {p.stem for p in (ROOT/"_proc").rglob("*.ipynb")}
    if missing := {p.stem for p in notebooks()} - made:
        sys.exit(f"not processed: {', '.join(sorted(missing))}")
    tiles = gallery.write(NBS, ROOT/"_proc")
    print(f"{len(made)} notebooks are ready for Quarto in _proc/, {tiles} of them in its gallery")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = {
        "run": lambda: run(args.names),
        "colab": lambda: colab(ROOT, args.names),
        "check": check,
        "options": lambda: options(ROOT),
        "readme": lambda: readme(ROOT),
        "process": process,
    }
    parser.add_argument("command", choices=commands)
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    commands[args.command]()
