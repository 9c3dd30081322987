"""What do questions to 200,000 pictures cost? Run: python benchmarks/observed.py [--write] (Linux)

The pictures, bytes of 64 x 64 x 3 in a .npy file of 2.5 GB, and a table of six factors are made
first, in a temporary folder. Each question is asked in a process of its own, on one thread; time is
that of the processor. Memory is the most that this process ever held (pages of the mapped file
among it), less what it held when the libraries were imported; it includes the making of the world.
With --write, benchmarks/README.md gets the figures.
"""
import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from _shared import table, write_section
from tqdm import tqdm

from vae_circuits.data import SyntheticCausal

PICTURES, CHUNK = 200_000, 2000

START = """
import json, sys, time
import torch
from torch import nn
from vae_circuits.adapt import adapt
from vae_circuits.answers import carriers
from vae_circuits.observed import from_table
from vae_circuits.pairs import pairs_of

def held(what):
    lines = open("/proc/self/status")
    return next(int(line.split()[1]) for line in lines if line.startswith(what)) / 1024

class Small(nn.Module):
    def __init__(self, latents=8):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 16, 4, 4), nn.ReLU(), nn.Conv2d(16, 32, 4, 4),
                                  nn.ReLU(), nn.Flatten())
        self.head = nn.Linear(512, 2 * latents)
        self.back = nn.Sequential(nn.Linear(latents, 512), nn.ReLU(), nn.Unflatten(1, (32, 4, 4)),
                                  nn.ConvTranspose2d(32, 16, 4, 4), nn.ReLU(),
                                  nn.ConvTranspose2d(16, 3, 4, 4), nn.Sigmoid())
    def encode(self, x): return self.head(self.body(x)).chunk(2, 1)
    def decode(self, z): return self.back(z)

def adapted():
    torch.manual_seed(0)
    return adapt(Small().eval(), image_shape=(3, 64, 64), image_limits=(0, 1))

pictures, labels = sys.argv[1:]
def made(): return from_table(pictures, labels, quiet=True)

def measured(call):
    start = time.process_time()
    call()
    seconds = time.process_time() - start
    print(json.dumps({"seconds": seconds, "MiB": round(held("VmHWM") - before)}))

torch.set_num_threads(1)
before = held("VmRSS")
"""

CASES = {  # code before, and code that is timed
    "`from_table`": ("", "made()"),
    "`sample(64)`": ("world = made()", "world.sample(64, seed=0)"),
    **{f"64 pairs of {f.name}": ("world = made(); sample = world.sample(64, seed=0)",
                                 f"pairs_of(world, {f.name!r}, sample)")
       for f in SyntheticCausal.factors},
    "`placebo(64)`": ("world = made()", "world.placebo(64)"),
    "`inside`, of 64 rows": ("world = made()", "world.inside(world.table.iloc[:64])"),
    "`carriers` of shape, 64 pairs": ("world, vae = made(), adapted()",
                                      "carriers(vae, world, 'shape')"),
}

NOTES = (
    f"{PICTURES:,} pictures of 64x64x3 bytes in a mapped file of 2.5 GB and a table of six "
    "factors; each question in a process of its own, on one thread. *seconds*: of the processor's "
    "time.",
    "*MiB*: the most that the process ever held beyond the imported libraries, the making of the "
    "world and pages of the mapped file included.")


def write(folder: Path):
    "Pictures and table of the synthetic world, in color by repeating the gray."
    shape = (PICTURES, 64, 64, 3)
    rows, world = [], SyntheticCausal()
    with open(folder/"pictures.npy", "wb") as f:
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(f, header)
        for seed in tqdm(range(PICTURES // CHUNK), desc="drawing"):
            sample = world.sample(CHUNK, seed)
            gray = (255 * sample.images[:, 0]).byte().numpy()
            f.write(np.repeat(gray[..., None], 3, axis=3).tobytes())
            rows.append(sample.factors)
    pd.concat(rows, ignore_index=True).to_csv(folder/"table.csv", index=False)


def asked(folder: Path, setup: str, call: str) -> dict:
    "Seconds and MiB of one question, in a process of its own."
    code = f"{START}{setup}\nmeasured(lambda: {call})"
    command = [sys.executable, "-c", code, folder/"pictures.npy", folder/"table.csv"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="put the figures into README.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        write(Path(name))
        rows = []
        for what, (setup, call) in CASES.items():
            rows.append({"question": what} | asked(Path(name), setup, call))
            print(what, f"{rows[-1]['seconds']:.2f} s, {rows[-1]['MiB']} MiB", flush=True)
    if options.write: write_section("Observed", [*table(rows, list(rows[0]), 2), "", *NOTES])
