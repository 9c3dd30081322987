"""A sweep ends with the same table wherever it runs and however often it is killed: `make test-engines` (minutes).

The engines are real: processes of joblib, a Dask cluster, a Ray cluster, and SLURM's protocol with a submit command that starts the job here.
"""
import os
import random
import signal
import stat
import subprocess
import sys
import threading
import time

import pandas as pd
import psutil
import pytest

from vae_circuits.paper_results import Settings
from vae_circuits.sweep import STARTED, Grid, Study, write_sweep

TRAINING = dict(epochs=1, epoch_images=16 * 30, batch_size=16, checkpoint_every=10, log_every=10, evaluation_images=64, device="cpu")
SETTINGS = Settings(images=8, pairs=4, circuit_pairs=2, points=300, resamples=20, suite="smoke")
STUDY = Study((Grid(models=("vae", "beta_vae"), datasets=("synthetic",), seeds=(0, 1)),), TRAINING, SETTINGS)
DRIVER = "import sys; sys.path.insert(0, sys.argv[1]); from test_engines import STUDY, write_sweep; write_sweep(STUDY, sys.argv[2], jobs=2)"


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


def test_killed_ten_times(alone, tmp_path):
    "All processes, the driver alone, or one worker are killed at random moments; the table's file is the same to the byte. A grid that is done early is followed by another."
    rng, out, driver = random.Random(0), tmp_path/"sweep", None
    kills = ["all", "worker", "driver", "worker", "all", "driver", "worker", "all", "driver", "all"]
    is_loky, log = lambda command: "popen_loky" in command, open(tmp_path/"driver.log", "a")
    start = lambda: subprocess.Popen([sys.executable, "-c", DRIVER, os.path.dirname(__file__), str(out)], stdout=log, stderr=log, start_new_session=True)
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
        if kind == "all": os.killpg(driver.pid, signal.SIGKILL)
        elif kind == "driver": driver.kill()
        else: rng.choice(found).kill()
        if kind != "worker": driver.wait()
    if driver.poll() is not None: driver = start()
    assert driver.wait(timeout=600) == 0 and same()


def kill_one(out, is_worker):
    "In a thread: once work has begun, kill one of our descendants that `is_worker` says is one, and remember it."
    killed = []
    def wait():
        start = time.time()
        while not begun(out, start) and time.time() < start + 120: time.sleep(0.05)
        time.sleep(1)
        for p in workers(os.getpid(), is_worker)[:1]: p.kill(), killed.append(p.pid)
    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return killed


@pytest.mark.parametrize("engine, is_worker", [("dask", lambda c: "spawn_main" in c), ("ray", lambda c: c.startswith("ray::PoolActor"))])
def test_cluster_loses_a_worker(alone, tmp_path, engine, is_worker):
    "Three workers on a local cluster, one of them killed in the middle."
    killed = kill_one(tmp_path, is_worker)
    _, failed = write_sweep(STUDY, tmp_path, engine, jobs=3)
    assert killed and not failed
    pd.testing.assert_frame_equal(rows(tmp_path), rows(alone))


def test_slurm(alone, tmp_path, monkeypatch):
    "dask-jobqueue submits its workers; here `sbatch` keeps the script it is given, as the real one does, and starts it, and `scancel` ends it."
    commands = {"sbatch": f'cp "$1" {tmp_path}/job.$$; nohup bash {tmp_path}/job.$$ > /dev/null 2>&1 &\necho "Submitted batch job $!"', "scancel": 'kill "$@" 2> /dev/null; exit 0'}
    for name, script in commands.items():
        (tmp_path/name).write_text(f"#!/bin/bash\n{script}\n")
        (tmp_path/name).chmod(stat.S_IRWXU)
    (tmp_path/"jobqueue.yaml").write_text("jobqueue:\n  slurm:\n    memory: 2GB\n    walltime: '00:10:00'\n    interface: lo\n    job-script-prologue: ['export OMP_NUM_THREADS=1']\n")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    import dask
    dask.config.refresh(paths=[str(tmp_path)])
    _, failed = write_sweep(STUDY, tmp_path/"sweep", "slurm", jobs=2)
    assert not failed
    pd.testing.assert_frame_equal(rows(tmp_path/"sweep"), rows(alone))
