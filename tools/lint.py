"""What can be said of the code without running it: python tools/lint.py

- Lines of notebooks, tools, tests and benchmarks, and names that lead nowhere: ruff, as ruff.toml
  says.
- The scripts of each kind of page, all in one, as a browser would have them: oxlint.
- No room larger than its limit.
- No cell longer than its limit.
- Lessons whose cells are short, that show a picture soon, and end with something to do.
- Pictures with a text for those who cannot see them.
- No text read or written in whatever letters a machine is set to.
- Names of the front door say what goes into them, and what they refuse.
"""
import inspect
import json
import re
import statistics
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
PACKAGE = ROOT/"vae_circuits"
SCRIPTS = ("page", "network", "latents", "patching", "circuits"), ("report",)  # of a page each
LINT = {
    "env": {"browser": True, "es2024": True},
    "categories": {"correctness": "error", "suspicious": "error"},
    "rules": {"no-undef": "error", "unicorn/consistent-function-scoping": "off"},
}
ROOM = 400  # lines of a module
# larger than that, and still to be divided: they may not grow
LARGER = {}
# notebooks that are read from top to bottom, and are source as well
LESSONS = (
    "01_data", "03_models", "07_interventions", "09_patching", "12_mediation", "13_metrics",
    "16_circuits", "17_causal_graph", "17b_arrows", "21_paper_results",
)
CELL, MEDIAN, PICTURE = 25, 8, 5  # lines of a cell, of half of the cells; cells up to a picture
LONG = 40  # lines of a cell in any other notebook
# rooms of what is measured, each by a published definition
MEASURES = ("codes", "effects", "interventions", "mediation", "metrics", "pairs", "patching",
            "proof", "scores", "uncertainty")
# longer than that, by a long docstring, a table, or not yet divided: they may not grow
LONGER = {
    "01g-014": 41, "01j-015n": 42, "01k-094": 41, "05-017": 45, "05a-008d": 43, "05d-033": 47,
    "06c-006": 44, "09b-010": 52, "09b-020": 46, "09b-032": 55, "14b-010": 44, "16a-008": 53,
    "16h-057": 44, "20a-016e": 41, "20c-009b": 43, "21a-016": 48, "22-068": 48, "22-096": 50,
    "22-102b": 46, "22a0-022": 43, "22a1-006": 50, "22a1-010": 60, "22c-016": 44, "22e-009": 46,
    "22h-008": 48, "22h-013": 46, "25c-011": 46, "25c-013": 41,
}


def scripts(names):
    "Whether some scripts are sound, as one text: they see each other's names in a page."
    with tempfile.TemporaryDirectory() as folder:
        text, rules = Path(folder)/"page.js", Path(folder)/"rules.json"
        text.write_text("".join((PACKAGE/"assets"/f"{name}.js").read_text() for name in names))
        rules.write_text(json.dumps(LINT))
        return subprocess.run([BIN/"oxlint", "-c", rules, text]).returncode == 0


def rooms():
    "Modules that are too large, one line each."
    sizes = {p.stem: len(p.read_text().splitlines()) for p in PACKAGE.glob("[a-z]*.py")}
    most = {name: LARGER.get(name, ROOM) for name in sizes}
    return [
        f"{name}: {n} lines, more than {most[name]}"
        for name, n in sizes.items()
        if n > most[name]
    ]


@cache
def code_cells():
    "The code cells of all notebooks."
    return [c for path in (ROOT/"nbs").rglob("*.ipynb")
            for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]


def cells():
    "Cells that are too long, one line each."
    size = {c.id: len(c.source.splitlines()) for c in code_cells()}
    most = {i: LONGER.get(i, LONG) for i in size}
    return [f"cell {i}: {n} lines, more than {most[i]}" for i, n in size.items() if n > most[i]]


def lessons():
    "What makes a lesson hard to read, one line each."
    return [f"{name}, {what}" for name in LESSONS for what in hard(ROOT/"nbs"/f"{name}.ipynb")]


def hard(path):
    "What makes the notebook at `path` hard to read."
    cells = nbformat.read(path, as_version=4).cells
    code = [c for c in cells if c.cell_type == "code" and not c.id.endswith("-install")]
    size = {c.id: len(c.source.splitlines()) for c in code}
    found = [f"cell {i}: {n} lines, more than {CELL}" for i, n in size.items() if n > CELL]
    # title and badge come before the first thing to read
    hidden = re.compile(r"#\s*\|\s*(hide|default_exp)\b")
    seen = [c for c in cells[2:] if not hidden.match(c.source)]
    half = statistics.median(size[c.id] for c in seen if c.cell_type == "code")
    if half > MEDIAN: found.append(f"cells: half of them have more than {MEDIAN} lines, {half:g}")
    if not any(map(shows, seen[:PICTURE])): found.append(f"no picture in its first {PICTURE} cells")
    if not any("**Exercise.**" in c.source for c in cells[len(cells)//2:]):
        found.append("no exercise at its end")
    return found


def unseen():
    "Pictures without a text in their place, one line each."
    return [f"cell {c.id}: a picture without fig-alt"
            for c in code_cells() if shows(c) and "fig-alt" not in c.source]


def shows(cell):
    "Whether a cell has a picture among its stored outputs."
    return any("image/png" in o.get("data", {}) for o in cell.get("outputs", ()))


def letters():
    "Places that leave the encoding of a text to the machine, one line each."
    loose = re.compile(r"\.read_text\(\)|\.write_text\((?!.*utf-8)")
    return [
        f"{p.stem}, line {n}: a text without its encoding"
        for p in PACKAGE.glob("[a-z]*.py")
        for n, line in enumerate(p.read_text("utf-8").splitlines(), 1)
        if loose.search(line)
    ]


def unsaid():
    "What the names of the front door do not say of themselves, one line each."
    import vae_circuits
    things = {name: getattr(vae_circuits, name) for name in vae_circuits.__all__}
    things = {n: getattr(t, n) if inspect.ismodule(t) else t for n, t in things.items()}
    error = lambda t: isinstance(t, type) and issubclass(t, Exception)
    return [f"{name}: its docstring does not say {what}" for name, thing in things.items()
            if callable(thing) and not error(thing) for what in lacking(thing)]


def lacking(thing):
    "What a public thing does not say: what goes in, comes out, is refused, and where it is from."
    words, made = inspect.getdoc(thing) or "", isinstance(thing, type)
    signature = inspect.signature(thing.__init__ if made else thing)
    yield from untold(signature, words, made)
    yield from unnamed(thing, words)
    # the site looks annotations up where a name is made: a class further down is named in words
    if not made and signature.return_annotation is signature.empty and words[:1] != "`":
        yield "what comes out"
    if not re.search("InputError|[Rr]aises", words): yield "what is refused"
    if re.search(r"\b(1|3), (28|32|64), (28|32|64)\b", words): yield "that pictures may be larger"
    measure = thing.__module__.rpartition(".")[2] in MEASURES
    if measure and not re.search(r"[Pp]aper|Eq\.|\b(18|19|20)\d\d\b", words): yield "its source"


def untold(signature, words, made):
    "Arguments that are not spoken of, and options that are not named."
    known = {*re.findall(r"\w+", words), "self"}
    for p in signature.parameters.values():
        variable = p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
        if made and variable: continue  # a class that names nothing leaves it to those who make it
        if p.name not in known: yield f"what {p.name} is"
        told = re.search(rf"\b{p.name}:([^.]*)", words)
        if p.kind is p.VAR_KEYWORD and not (told and "`" in told[1]): yield f"which {p.name} are"


def unnamed(thing, words):
    "Tables that a docstring sends its reader to, without a word of what stands in them."
    around = vars(sys.modules[thing.__module__])
    for name in re.findall(r"`([A-Z][A-Z_]+)`", words):
        table = around.get(name)
        if not isinstance(table, (tuple, list, dict)): continue
        names = [n for n in table if isinstance(n, str)]
        if names and not any(f"'{n}'" in words for n in names): yield f"what {name} has"


if __name__ == "__main__":
    sound = subprocess.run([BIN/"ruff", "check", "--quiet"], cwd=ROOT).returncode == 0
    sound = all([scripts(names) for names in SCRIPTS]) and sound
    wrong = rooms() + cells() + lessons() + unseen() + letters() + unsaid()
    if wrong: print("\n".join(wrong))
    sys.exit(not sound or bool(wrong))
