"""Run notebooks to their ends, and compare what cells marked `check` print with what is stored:
python tools/cells.py NOTEBOOK ...

Most of a short notebook's time is that of its imports. So each notebook is a process of its own,
but all are forks of one that has imported what most of them want."""
import atexit
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from conftest import CHECKED, NOT_RUN  # noqa: E402 - as nbval has it for the lessons
sys.path.pop(0)  # the package is tested as it was installed, not as it lies here

IMPORTED = (
    "dask.array", "matplotlib.pyplot", "networkx", "scipy.stats", "sklearn.linear_model", "torch",
    "torch.export", "torch._dynamo", "xarray", "execnb.shell", "hypothesis", "pytest",
    "vae_circuits.answers",
)
SECONDS = 1800  # after which a notebook counts as hanging


def shown(outputs) -> dict:
    "The texts of outputs, by stream or kind."
    texts = {}
    for out in outputs:
        parts = {out["name"]: out["text"]} if "text" in out else out.get("data", {})
        for kind, text in parts.items():
            if not kind.startswith(("image/", "application/")):
                texts[kind] = texts.get(kind, "") + "".join(text)
    return texts


def cells(path: Path) -> int:
    "Run the cells of a notebook in this process; returns how many, or raises."
    from execnb.nbio import read_nb
    from execnb.shell import CaptureShell
    from pandas import set_option
    set_option("display.max_columns", 20)  # as in a kernel, not as in a terminal
    shell, stored, ran = CaptureShell(path, mpl_format="png"), {}, []

    def skipped(cell):
        if cell.cell_type != "code" or NOT_RUN.search(cell.source): return True
        stored[cell.id], cell.outputs = shown(cell.outputs), []

    def compared(cell):
        ran.append(cell.id)
        if shell.exc: raise RuntimeError(shell.prettytb(path))
        if not CHECKED.search(cell.source): return
        if (now := shown(cell.outputs)) != stored[cell.id]:
            raise RuntimeError(f"cell {cell.id} shows\n{now}\nand has stored\n{stored[cell.id]}")
    shell.run_all(read_nb(path), preproc=skipped, postproc=compared)
    return len(ran)


def seconds() -> float:
    "Of the processor, by this process and those that it has started and seen end."
    return sum(os.times()[:4])


def notebook(path: Path):
    "Run a notebook, say how that went, and end this process."
    here, began = str(Path(__file__).resolve().parent), seconds()
    sys.path[:] = [p for p in sys.path if p != here]
    os.chdir(path.parent)
    try: said = f"{cells(path)} cells, {seconds() - began:.0f} s of a processor"
    except Exception as e: said, failed = f"fails\n{e}", True
    else: failed = False
    print(f"{path.stem}: {said}", flush=True)
    left()
    sys.exit(failed)


def left():
    """End what a notebook has left: a fork would wait minutes for idle workers, and do nothing of
    what Python does at its end."""
    from joblib.externals.loky import get_reusable_executor
    get_reusable_executor().shutdown()
    atexit._run_exitfuncs()


def run(path: Path, context) -> bool:
    "Whether a notebook passes, in a process of its own."
    process = context.Process(target=notebook, args=(path,))
    process.start()
    process.join(SECONDS)
    if process.is_alive():
        process.kill(), process.join()
        print(f"{path.stem}: no end after {SECONDS} s", flush=True)
    elif process.exitcode not in (0, 1):
        print(f"{path.stem}: its process ended with {process.exitcode}", flush=True)
    return process.exitcode == 0


def main():
    context = get_context("forkserver")
    context.set_forkserver_preload(list(IMPORTED))
    paths, began = [Path(p).resolve() for p in sys.argv[1:]], time.time()
    with ThreadPoolExecutor(min(os.cpu_count(), 4)) as pool:  # they do not wait for anything
        passed = list(pool.map(lambda path: run(path, context), paths))
    if failing := [p.stem for p, good in zip(paths, passed) if not good]:
        sys.exit(f"failing: {', '.join(failing)}")
    print(f"{len(paths)} notebooks in {time.time() - began:.0f} s")


if __name__ == "__main__":
    main()
