"""What can be said of the code without running it: python tools/lint.py

- Lines of notebooks, tools, tests and benchmarks, and names that lead nowhere: ruff, as ruff.toml
  says.
- The scripts of pages, all in one, as a browser would have them: oxlint.
- No room larger than its limit.
"""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
PACKAGE = ROOT/"vae_circuits"
SCRIPTS = "page", "network", "latents", "patching", "circuits"
LINT = {
    "env": {"browser": True, "es2024": True},
    "categories": {"correctness": "error", "suspicious": "error"},
    "rules": {"no-undef": "error", "unicorn/consistent-function-scoping": "off"},
}
ROOM = 400  # lines of a module


def scripts():
    "Whether the scripts are sound, as one text: they see each other's names in a page."
    with tempfile.TemporaryDirectory() as folder:
        text, rules = Path(folder)/"page.js", Path(folder)/"rules.json"
        text.write_text("".join((PACKAGE/"assets"/f"{name}.js").read_text() for name in SCRIPTS))
        rules.write_text(json.dumps(LINT))
        return subprocess.run([BIN/"oxlint", "-c", rules, text]).returncode == 0


def rooms():
    "Modules that are too large, one line each."
    sizes = {p.name: len(p.read_text().splitlines()) for p in PACKAGE.glob("[a-z]*.py")}
    return [f"{name}: {n} lines, more than {ROOM}" for name, n in sizes.items() if n > ROOM]


if __name__ == "__main__":
    sound = subprocess.run([BIN/"ruff", "check", "--quiet"], cwd=ROOT).returncode == 0
    sound = scripts() and sound
    print("\n".join(large := rooms()))
    sys.exit(not sound or bool(large))
