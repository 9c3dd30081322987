"""A sweep ends with the same table wherever it runs and however often it is killed, and no run
takes what is another's: `make test-engines` (minutes).

The engines are real: processes of joblib, a Dask cluster, a Ray cluster, and SLURM's protocol with
a submit command that starts the job here."""
import io
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stderr
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
import torch

from vae_circuits import paper_results
from vae_circuits.archives import world
from vae_circuits.trials import Trial
from vae_circuits.cli import main
from vae_circuits.data import SyntheticCausal
from vae_circuits.anatomy import Settings
from vae_circuits.sweeps import prepare
from vae_circuits.studies import STUDIES, Grid, Study
from vae_circuits.sweep import STARTED, write_sweep
from vae_circuits.checkpoints import load_checkpoint
from vae_circuits.training import evaluate, finished

ROOT = Path(__file__).resolve().parent.parent
TRAINING = dict(
    epochs=1,
    epoch_images=16 * 30,
    batch_size=16,
    checkpoint_every=10,
    log_every=10,
    evaluation_images=64,
    device="cpu",
)
SETTINGS = Settings(images=4, pairs=2, circuit_pairs=2, points=300, resamples=5, suite="smoke")
STUDY = Study(
    (Grid(models=("vae",), datasets=("dsprites",), seeds=(0, 1, 2)),), TRAINING, SETTINGS
)
DRIVER = (
    "import sys; sys.path.insert(0, sys.argv[1]); from test_engines import STUDY, write_sweep;"
    " write_sweep(STUDY, sys.argv[2], jobs=2)"
)


def rows(folder): return pd.read_parquet(folder/"table.parquet")


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    "A sweep that nobody disturbed."
    out = tmp_path_factory.mktemp("alone")/"sweep"
    _, failed = write_sweep(STUDY, out, jobs=2)
    assert not failed
    return out


def begun(out, since):
    "Has a run started after `since`?"
    try: return any(f.stat().st_mtime > since for f in out.glob(f"runs/*/{STARTED}"))
    except FileNotFoundError: return False  # it ended in between


def workers(pid, is_worker):
    "The living descendants of a process whose command line `is_worker` takes for one."
    found = []
    for p in psutil.Process(pid).children(recursive=True):
        try:
            if is_worker(" ".join(p.cmdline())): found.append(p)
        except psutil.Error: pass  # it has died in between
    return found


def test_killed_six_times(alone, tmp_path):
    """All processes, the driver alone, or one worker are killed at random moments; the table's file
    is the same to the byte. A grid that is done early is followed by another."""
    rng, out, driver = random.Random(0), tmp_path/"sweep", None
    kills = ["all", "worker", "driver", "worker", "driver", "all"]
    is_loky, log = lambda command: "popen_loky" in command, open(tmp_path/"driver.log", "a")
    start = lambda: subprocess.Popen(
        [sys.executable, "-c", DRIVER, os.path.dirname(__file__), str(out)],
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    same = lambda: (out/"table.parquet").read_bytes() == (alone/"table.parquet").read_bytes()
    while kills:
        since = time.time()
        if driver is None or driver.poll() is not None:
            if (out/"table.parquet").is_file():
                assert same()
                out = tmp_path/f"sweep{len(kills)}"
            driver = start()
        while driver.poll() is None and not begun(out, since): time.sleep(0.01)
        time.sleep(rng.uniform(0, 2))
        found = workers(driver.pid, is_loky) if driver.poll() is None else []
        assert driver.poll() in (None, 0), (tmp_path/"driver.log").read_text()[-3000:]
        if not found: continue  # it is done, or its workers are being started again
        kind = kills.pop(0)
        if kind == "all":os.killpg(driver.pid, signal.SIGKILL)
        elif kind == "driver":driver.kill()
        else: rng.choice(found).kill()
        if kind != "worker": driver.wait()
    if driver.poll() is not None: driver = start()
    assert driver.wait(timeout=600) == 0 and same()


def kill_one(out, is_worker):
    """In a thread: once work has begun, kill one of our descendants that `is_worker` says is one,
    and remember it."""
    killed = []
    def wait():
        start = time.time()
        while not begun(out, start) and time.time() < start + 120: time.sleep(0.05)
        time.sleep(1)
        for p in workers(os.getpid(), is_worker)[:1]: p.kill(), killed.append(p.pid)
    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return killed


@pytest.mark.parametrize(
    "engine, is_worker",
    [("dask", lambda c: "spawn_main" in c), ("ray", lambda c: c.startswith("ray::PoolActor"))],
)
def test_cluster_loses_a_worker(alone, tmp_path, engine, is_worker):
    "Three workers on a local cluster, one of them killed in the middle."
    killed = kill_one(tmp_path, is_worker)
    _, failed = write_sweep(STUDY, tmp_path, engine, jobs=3)
    assert killed and not failed
    pd.testing.assert_frame_equal(rows(tmp_path), rows(alone))


def test_slurm(alone, tmp_path, monkeypatch):
    """dask-jobqueue submits its workers; here `sbatch` keeps the script it is given, as the real
    one does, and starts it, and `scancel` ends it."""
    commands = {
        "sbatch": (
            f'cp "$1" {tmp_path}/job.$$; nohup bash {tmp_path}/job.$$ > /dev/null 2>&1 &\necho'
            ' "Submitted batch job $!"'
        ),
        "scancel": 'kill "$@" 2> /dev/null; exit 0',
    }
    for name, script in commands.items():
        (tmp_path/name).write_text(f"#!/bin/bash\n{script}\n")
        (tmp_path/name).chmod(stat.S_IRWXU)
    (tmp_path / "jobqueue.yaml").write_text(
        "jobqueue:\n  slurm:\n    memory: 2GB\n    walltime: '00:10:00'\n    interface: lo\n   "
        " job-script-prologue: ['export OMP_NUM_THREADS=1']\n"
    )
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    import dask
    dask.config.refresh(paths=[str(tmp_path)])
    _, failed = write_sweep(STUDY, tmp_path/"sweep", "slurm", jobs=2)
    assert not failed
    pd.testing.assert_frame_equal(rows(tmp_path/"sweep"), rows(alone))


CLI = [sys.executable, "-c", "from vae_circuits.cli import main; main()"]
SHORT = [
    "train",
    "--dataset",
    "synthetic",
    "--device",
    "cpu",
    "--epochs",
    "1",
    "--batch-size",
    "16",
    "--evaluation-images",
    "64",
]
LITTLE = ["--images", "8", "--pairs", "2", "--points", "200", "--factor", "x", "--no-circuits"]


def command(*args, **env):
    return subprocess.Popen(
        [*CLI, *map(str, args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **env},
    )


def until(ready, process):
    while not ready() and process.poll() is None: time.sleep(0.01)
    assert process.poll() is None, process.communicate()


def refused(words, *args):
    "The command, here in this process, ends with code 2 and one line that has these words."
    with pytest.MonkeyPatch.context() as here, redirect_stderr(
        io.StringIO()
    ) as said, pytest.raises(SystemExit) as left:
        here.setattr(sys, "argv", ["vae-circuits", *map(str, args)])
        main()
    assert (
        left.value.code == 2 and len(said.getvalue().splitlines()) == 1 and words in said.getvalue()
    ), said.getvalue()


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    out = tmp_path_factory.mktemp("model")/"run"
    assert command(*SHORT, "--epoch-images", 160, "--out", out).wait() == 0
    return out/"model.safetensors"


def test_one_folder_two_runs(tmp_path):
    "Whoever comes second is told who was first; when the first is killed, its folder is free."
    out = tmp_path/"run"
    first = command(
        *SHORT,
        "--epoch-images",
        16 * 5000,
        "--log-every",
        10,
        "--checkpoint-every",
        10,
        "--out",
        out,
    )
    until((out/"state.safetensors").is_file, first)
    refused(
        f"in use by another run (pid {first.pid} on ",
        *SHORT,
        "--epoch-images",
        16 * 5000,
        "--seed",
        1,
        "--out",
        tmp_path / "nothere" / ".." / "run",
    )
    first.kill(), first.communicate()
    refused("say resume to go on with it", *SHORT, "--epoch-images", 160, "--out", out)
    refused("cannot resume it with", *SHORT, "--epoch-images", 160, "--out", out, "--resume")


def test_killed_analysis_is_swept_up(model, tmp_path):
    """A folder made by somebody while an analysis runs stays; a second run is refused; after a kill
    the next run leaves nothing but its result."""
    out = tmp_path/"out"
    scratch = lambda: [p for p in os.listdir(tmp_path) if p != "out" and not p.endswith(".lock")]
    first = command("analyze", model, "--out", out, "--images", 256, "--pairs", 64)
    until(scratch, first)
    refused(f"in use by another run (pid {first.pid} on ", "analyze", model, "--out", out, *LITTLE)
    first.kill(), first.communicate()
    old, = scratch()
    assert not out.exists()
    second = command("analyze", model, "--out", out, *LITTLE)
    until(lambda: scratch() not in ([], [old]), second)
    out.mkdir(), (out/"mine.txt").write_text("mine")
    assert second.wait() == 0, second.communicate()
    assert (
        os.listdir(tmp_path) == ["out"]
        and (out / "mine.txt").read_text() == "mine"
        and (out / "report.html").is_file()
    )
    refused("or pass --overwrite", "analyze", model, "--out", out, *LITTLE)


def test_few_letters(model, tmp_path):
    "A terminal that knows ASCII alone, a user who lets nobody read, and the shell's own folder."
    (tmp_path/"here").mkdir(mode=0o700)
    inode, umask = (tmp_path/"here").stat().st_ino, os.umask(0o077)
    try:
        plain = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
        done = subprocess.run(
            [*CLI, "analyze", str(model), "--out", ".", *LITTLE],
            cwd=tmp_path / "here",
            env=plain,
            capture_output=True,
            text=True,
        )
    finally:
        os.umask(umask)
    assert done.returncode == 0, done.stderr
    page = tmp_path/"here"/"report.html"
    assert "–" in page.read_text("utf-8")
    assert (
        (tmp_path / "here").stat().st_ino == inode
        and page.stat().st_mode & 0o777 == 0o600
        and os.listdir(tmp_path) == ["here"]
    )


def test_full_disk(model, tmp_path, monkeypatch, capsys):
    """No space for the results, or for the last line of the output: one line, code 2, and nothing
    left."""
    def full(*args): raise OSError(28, "No space left on device", "report.html")
    monkeypatch.setattr(paper_results, "analyze", full)
    monkeypatch.setattr(
        sys,
        "argv",
        ["vae-circuits", "analyze", str(model), "--out", str(tmp_path / "out"), *LITTLE],
    )
    with pytest.raises(SystemExit) as left: main()
    assert (
        left.value.code == 2
        and capsys.readouterr().err.splitlines()[-1]
        == "vae-circuits: [Errno 28] No space left on device: 'report.html'"
    )
    assert os.listdir(tmp_path) == []
    for out in ("/dev/full", os.devnull):
        with open(out, "w") as stdout:
            done = subprocess.run(
                [*CLI, "train", "--help"], stdout=stdout, stderr=subprocess.PIPE, text=True
            )
        assert (done.returncode, len(done.stderr.splitlines())) == (
            (2, 1) if out == "/dev/full" else (0, 0)
        )


def test_nobody_reads_on():
    "A pipe whose reader has left ends a command quietly, with the code of SIGPIPE."
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stdout:
        done = subprocess.run([*CLI, "--help"], stdout=stdout, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (141, "")


MOUNTED = """
import os, sys
from pathlib import Path
from vae_circuits.core import InputError, contents, whole_folder
out = Path(sys.argv[1])
def written(text):
    with whole_folder(out, "results.json", overwrite=True) as new:
        (new/"results.json").write_text(text)
written("1"), os.chdir(out), written("2")
assert os.path.ismount(out) and contents(out) == ["results.json"]
assert Path("results.json").read_text() == "2"
with open(out/"mine", "wb", buffering=0) as f:
    try:
        while True: f.write(bytes(4096))
    except OSError: pass  # now it is full
try: written("3" * 10_000)
except (InputError, OSError) as e: assert "No space left on device" in str(e)
else: raise AssertionError("there was space")
assert sorted(os.listdir(out)) == [".vae_circuits.json", "mine", "results.json"]
assert Path("results.json").read_text() == "2"
"""


def test_mount_point(tmp_path):
    """Results on a file system of their own, until that is full; where this machine lets us mount
    one."""
    shell = ["unshare", "--user", "--map-root-user", "--mount", "bash", "-ec"]
    mount = [*shell, f"mount -t tmpfs none {tmp_path}"]
    if not shutil.which("unshare") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    script = f'mount -t tmpfs -o size=1m none {tmp_path}; exec "$0" "$@"'
    command = [*shell, script, sys.executable, "-c", MOUNTED, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def effect(thing, address):
    "In a worker: what a patch does to prepared pairs, or holding a site to a trial."
    if hasattr(thing, "patch"): return thing.patch(address)
    return thing.effects({address: np.zeros(10, bool)})


def test_sent_to_a_worker(model):
    "A model that was traced, in prepared pairs and in a trial, answers in another process as here."
    vae, data = load_checkpoint(model), SyntheticCausal()
    sample = data.sample(2, seed=0)
    pairs = sample.images, data.interventions(sample, "shape").images
    ready = prepare(vae, *pairs, ["encoder_conv_2", "mu"], "recon")
    trial = Trial(vae, *pairs, part="both", sites=["mu"])
    jobs = (ready, "encoder_conv_2[3]"), (ready, "mu"), (trial, "mu")
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        there = list(pool.map(effect, *zip(*jobs)))
    for job, found in zip(jobs, there): torch.testing.assert_close(found, effect(*job))


def test_workers_end_with_their_driver(tmp_path):
    "As many workers as there is work for, and none after a kill."
    driver = subprocess.Popen(
        [
            *CLI,
            "sweep",
            "--out",
            str(tmp_path / "sweep"),
            "--models",
            "vae",
            "--datasets",
            "synthetic",
            "--seeds",
            "0",
            "--jobs",
            "12",
            "--setting",
            "device=cpu",
        ],
        stderr=subprocess.DEVNULL,
    )
    until(lambda: begun(tmp_path/"sweep", 0), driver)
    family = psutil.Process(driver.pid).children(recursive=True)
    refused(f"in use by another run (pid {driver.pid} on ", "sweep", "--out", tmp_path/"sweep")
    driver.kill(), driver.wait()
    assert len(family) <= 4
    _, alive = psutil.wait_procs(family, timeout=15)
    assert not alive


def test_the_study_goes_on_from_its_models(tmp_path):
    """`make study` begins with the trained models that are kept, which are the settings `default`
    of the study."""
    tool = [sys.executable, ROOT/"tools"/"fleet.py", "--out", tmp_path/"runs"]
    done = subprocess.run(
        [*tool, "--unpack", ROOT / "study"], capture_output=True, text=True, check=True
    )
    runs = {r.name: r.config for r in STUDIES["study"].runs() if r.setting == "default"}
    assert f"{len(runs)} runs unpacked" in done.stdout
    for name in ("dsprites-vae-default-4", "synthetic-factor_vae-default-0"):
        model = finished(runs[name], tmp_path/"runs"/name/"training")
        now, then = evaluate(model, world(runs[name].dataset), n=512), model.card["evaluation"]
        assert abs(now["recon"] - now["floor"] - then["recon"] + then["floor"]) < 1.5
        assert model.card["rounded"] == "float16"
    again = subprocess.run(
        [*tool, "--unpack", ROOT / "study"], capture_output=True, text=True, check=True
    )
    assert again.stdout.startswith("0 runs unpacked")
