"""What can be said of the code without running it: python tools/lint.py

- Lines of notebooks, tools, tests and benchmarks, and names that lead nowhere: ruff, as ruff.toml
  says.
- The scripts of each kind of page, all in one, as a browser would have them: oxlint.
- No room larger than its limit.
- No text read or written in whatever letters a machine is set to.
- Names of the front door say what goes into them, and what they refuse.
"""
import inspect
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

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
LARGER = {
    "interventions": 440, "causal_graph": 710,
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
    lines = []
    for name in vae_circuits.__all__:
        thing = getattr(vae_circuits, name)
        if inspect.ismodule(thing): thing = getattr(thing, name)
        if not callable(thing) or isinstance(thing, type) and issubclass(thing, Exception): continue
        words = inspect.getdoc(thing) or ""
        known = set(re.findall(r"\w+", words))
        made = isinstance(thing, type)
        takes = inspect.signature(thing.__init__ if made else thing).parameters.values()
        # a class that names nothing leaves it to those who make it
        some = lambda p: p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
        takes = [p.name for p in takes if not made or some(p)]
        lacks = [p for p in takes if p not in {*known, "self"}]
        if lacks: lines.append(f"{name}: its docstring does not speak of {', '.join(lacks)}")
        errors = "InputError" in inspect.getsource(thing)
        if errors and not re.search("InputError|[Rr]aises", words):
            lines.append(f"{name}: its docstring does not speak of errors")
    return lines


if __name__ == "__main__":
    sound = subprocess.run([BIN/"ruff", "check", "--quiet"], cwd=ROOT).returncode == 0
    sound = all([scripts(names) for names in SCRIPTS]) and sound
    wrong = rooms() + letters() + unsaid()
    if wrong: print("\n".join(wrong))
    sys.exit(not sound or bool(wrong))
