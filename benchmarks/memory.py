"""How much memory does opening the whole dSprites archive take? Run: python benchmarks/memory.py

Writes an archive of the real one's size and format, drawn by the renderer, into a temporary folder, and opens it in a fresh process.
"""
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from vae_circuits.data import DSPRITES_FACTORS, draw_sprites, unpack

OPEN = """
import resource, sys, time
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
from vae_circuits.data import DSprites
before, start = peak(), time.perf_counter()
data = DSprites(sys.argv[1])
data.sample(64, seed=0)
print(f"{peak():.0f} MB at the peak, {before:.0f} of them after the imports, in {time.perf_counter() - start:.1f} s")
"""


def write_archive(path: Path):
    "All 737,280 images in the real archive's order."
    classes = np.stack(np.meshgrid(*(np.arange(len(f.values)) for f in DSPRITES_FACTORS), indexing="ij"), -1).reshape(-1, 5)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as z:
        with z.open("latents_classes.npy", "w", force_zip64=True) as f:
            np.lib.format.write_array(f, np.concatenate([np.zeros((len(classes), 1), int), classes], 1))
        with z.open("imgs.npy", "w", force_zip64=True) as f:
            np.lib.format.write_array_header_1_0(f, {"descr": "|u1", "fortran_order": False, "shape": (len(classes), 64, 64)})
            for part in tqdm(np.array_split(classes, 200), desc="writing the archive"):
                factors = pd.DataFrame({f.name: np.asarray(f.values)[part[:, i]] for i, f in enumerate(DSPRITES_FACTORS)})
                f.write(unpack(draw_sprites(factors)).numpy().astype(np.uint8).tobytes())


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder)/"dsprites.npz"
        write_archive(archive)
        for what in ("first opening", "later opening"):
            print(f"{what}: ", end="", flush=True)
            subprocess.run([sys.executable, "-c", OPEN, archive], check=True)
