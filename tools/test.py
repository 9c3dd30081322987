"""All that CI runs, in steps, some of them side by side, stopping after those that fail: `make
test`, or `make test-wheel` for one step.

`make test-notebooks NAMES='05 06'` runs some notebooks only. `make test-nbdev` is a step by itself:
nbdev_test runs the cells that have been run already."""
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lint import LESSONS

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
PYTEST = sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"

# Used in the empty environment, outside the checkout: every shipped model loads, runs and answers
# an intervention.
USE = """
import vae_circuits, pathlib
assert "site-packages" in vae_circuits.__file__, vae_circuits.__file__
from vae_circuits.data import dataset
from vae_circuits.training import PAPER_DATASETS, PAPER_MODELS, load_pretrained
for d in PAPER_DATASETS:
    for m in PAPER_MODELS:
        vae, x = load_pretrained(m, d), dataset(d).sample(4, seed=0).images
        donor = vae.run(x.flip(0))
        changed = vae.run(x, do={"encoder_conv_1[4,12]": donor, "z[3]": 2.0})
        assert (changed.z[:, 3] == 2).all() and not changed.recon.equal(vae.run(x).recon)
print("six models load, run and answer")
"""


def built(folder):
    "The wheel, built once for the steps that use it."
    if not list(Path(folder).glob("*.whl")):
        # setuptools would put modules left over from an earlier build into the wheel
        shutil.rmtree(ROOT/"build"/"lib", ignore_errors=True)
        # an old pip would build with the setuptools it finds here; users get an isolated build with
        # the newest
        call(
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "-q",
            "--use-pep517",
            "--no-deps",
            "-w",
            folder,
            ROOT,
        )
    return next(Path(folder).glob("*.whl"))


def wheel(folder):
    "Use the wheel in an empty environment: the library, the command, and the main job."
    env, where = Path(folder)/"env", Path(folder)/"elsewhere"
    where.mkdir()
    call(sys.executable, "-m", "venv", env)
    # most of what is installed is never imported, and need not be compiled
    lock = ROOT/"requirements.lock"
    call(env/"bin"/"pip", "install", "-q", "--no-compile", "-c", lock, built(folder))
    call(env/"bin"/"python", "-c", USE, cwd=where)
    call(env/"bin"/"vae-circuits", "--help", cwd=where, stdout=subprocess.DEVNULL)
    call(env/"bin"/"vae-circuits", "paper", "--preset", "smoke", "--out", "smoke", cwd=where)
    assert sorted(p.name for p in (where / "smoke").iterdir() if p.name[0] != ".") == [
        "explorers",
        "figures",
        "report.html",
        "results.json",
        "tables",
    ]


def notebooks(folder):
    """Run every notebook to its end, with the installed package and nothing of the checkout beside
    it, and compare the stored output of cells marked `check`."""
    package, where = Path(folder)/"site", Path(folder)/"notebooks"
    pip = (sys.executable, "-m", "pip", "install", "-q", "--no-deps")
    call(*pip, "--target", package, built(folder))
    where.mkdir()
    for path in (ROOT/"conftest.py", *(ROOT/"nbs").rglob("*.ipynb")): shutil.copy(path, where)
    env = {**os.environ, "PYTHONPATH": str(package)}
    # real frames lie beside the repository, if anywhere; from the new place the notebook would not
    # find them
    if frames := next(
        (
            p
            for up in (ROOT, *ROOT.parents)
            if (p := up / "shared" / "data" / "dsprites_frames.npz").is_file()
        ),
        None,
    ):
        env.setdefault("DSPRITES_FRAMES", str(frames))
    call(
        sys.executable,
        "-c",
        f"import vae_circuits; assert vae_circuits.__file__.startswith({str(package)!r}),"
        " vae_circuits.__file__",
        cwd=where,
        env=env,
    )

    # the last ones first, which take the longest
    names = tuple(os.environ.get("NAMES", "").split()) or ""
    every = sorted((p for p in where.glob("*.ipynb") if p.stem.startswith(names)), reverse=True)
    lessons = [p for p in every if p.stem in LESSONS]
    rooms = [p for p in every if p not in lessons]
    if rooms: call(sys.executable, ROOT/"tools"/"cells.py", *rooms, cwd=where, env=env, stdout=None)
    # lessons as their readers run them: each in a kernel of its own, which takes ten seconds more
    nbval = *PYTEST, "--nbval-lax", "--nbval-kernel-startup-timeout", "300"
    with ThreadPoolExecutor(min(os.cpu_count(), 4) + 1) as pool:
        list(pool.map(lambda lesson: call(*nbval, lesson, cwd=where, env=env), lessons))


def site():
    "All about the site that needs no Quarto."
    call(sys.executable, ROOT/"tools"/"notebooks.py", "process")
    call(sys.executable, ROOT/"tools"/"links.py")
    tested("site")()


def call(*command, **kwargs):
    "Run a command and then print what it said, in one piece."
    done = subprocess.run(
        [str(c) for c in command],
        **{
            "cwd": ROOT,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.STDOUT,
            "text": True,
            **kwargs,
        },
    )
    if done.stdout:
        print(done.stdout.rstrip(), flush=True)
    done.check_returncode()


def tested(*names):
    "A step that runs tests/test_NAME.py for each of `names`."
    files = [ROOT/"tests"/f"test_{name}.py" for name in names]
    return lambda: call(*PYTEST, "-p", "no:logging", "--durations=5", *files)


def sync():
    "All that can be said without running anything."
    call(sys.executable, ROOT/"tools"/"notebooks.py", "check")
    call(sys.executable, ROOT/"tools"/"lint.py")


def nbdev(): call(BIN/"nbdev_test", "--n_workers", min(os.cpu_count(), 4), "--timing")


def steps(folder):
    "Name of the make target, heading, what to do."
    return {
        "sync": ("notebooks clean, package and README in step, code sound", sync),
        "notebooks": (
            "notebooks run from the wheel, and stored numbers come out again",
            lambda: notebooks(folder),
        ),
        "engines": ("a sweep survives kills and ends the same on every engine", tested("engines")),
        "front": (
            "from somebody's model and pictures to a report, in Python and by the command",
            tested("front"),
        ),
        "zoo": (
            "small models of every kind that people build are taken apart, or refused in one line",
            tested("zoo"),
        ),
        "fuzz": (
            "odd input gives a right result or one clear line; answers cost what they did",
            tested("fuzz", "answers"),
        ),
        "site": (
            "notebooks ready for the site, links lead somewhere, nothing is loaded from elsewhere",
            site,
        ),
        "browser": (
            "explorers answer in a real browser, and ask nothing of the network",
            tested("browser"),
        ),
        "wheel": ("wheel builds, installs elsewhere, and does the main job", lambda: wheel(folder)),
        "nbdev": ("nbdev_test, which runs the same cells as the step notebooks", nbdev),
    }


# Steps that run side by side: the engines mostly wait, for processes to start and to be missed, and
# so do browsers.
BESIDE = (
    ("sync",),
    ("notebooks", "engines"),
    ("front", "zoo", "fuzz", "site", "browser", "wheel"),
    ("nbdev",),
)


def timed(name, step):
    "Do a step; returns whether it passed."
    print(f"\n== {name}", flush=True)
    start = time.time()
    try:
        step()
    except (subprocess.CalledProcessError, AssertionError) as e:
        print(f"\nfailed: {name}\n{e}", flush=True)
    else:
        print(f"   passed in {time.time() - start:.0f} s: {name}", flush=True)
        return True


def main():
    # one thread a process: several notebooks run side by side on few cores
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    passed, began = [], time.time()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor() as pool:
        todo = steps(folder)
        wanted = sys.argv[1:] or [key for key in todo if key != "nbdev"]
        if unknown := set(wanted) - set(todo):
            sys.exit(f"no step is called {', '.join(sorted(unknown))}; there are {', '.join(todo)}")
        for group in BESIDE:
            passed += pool.map(
                lambda key: timed(*todo[key]), [key for key in group if key in wanted]
            )
            if not all(passed):
                break
    print(
        f"\n{(time.time() - began) / 60:.1f} minutes\n{sum(map(bool, passed))} passed,"
        f" {passed.count(None)} failed",
        flush=True,
    )
    sys.exit(not all(passed))


if __name__ == "__main__":
    main()
