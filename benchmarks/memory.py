"""How much memory do an archive, a sweep and many models take? Run: python benchmarks/memory.py
(Linux)

Each is measured in a process of its own: the peak of what it holds, beyond what it held before,
pages of mapped files left out. An array of known size comes first, to show that the measurement
sees it. The archive is of the real one's size and format, drawn by the renderer."""
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from vae_circuits.sprites import DSPRITES_FACTORS, draw_sprites, unpack

MEASURE = """
import ctypes, gc, sys, threading, time
import numpy as np, torch
from vae_circuits.adapt import adapt
from vae_circuits.data import DSprites
from vae_circuits.edges import edge_sweep
from vae_circuits.models import ConvVAE
from vae_circuits.patching import patch_sweep
def held():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024
def peak(call):
    "MiB at the most, beyond those before, and in the end, and seconds."
    gc.collect(), ctypes.CDLL(None).malloc_trim(0)
    before, start, most, done = held(), time.perf_counter(), [0], threading.Event()
    def watch():
        while not done.wait(0.001): most[0] = max(most[0], held() - before)
    watcher = threading.Thread(target=watch)
    watcher.start()
    try: kept = call()
    finally: done.set(), watcher.join()
    end, took = held() - before, time.perf_counter() - start
    print(f"{max(most[0], end):.0f} MiB at the peak, {end:.0f} in the end, in {took:.1f} s")
vae, x, y = ConvVAE().requires_grad_(False), torch.rand(256, 1, 64, 64), torch.rand(256, 1, 64, 64)
ends = "encoder_conv_1", "encoder_conv_2"
edges = lambda n: edge_sweep(vae, x[:n], y[:n], *ends, max_memory=2**26)
patches = lambda n: patch_sweep(vae, x[:n], y[:n], max_memory=2**26)
class Foreign(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = torch.nn.Linear(4096, 8), torch.nn.Linear(4, 4096)
    def encode(self, x): return self.encoder(x.flatten(1)).chunk(2, 1)
    def decode(self, z): return self.decoder(z).sigmoid().unflatten(1, (1, 64, 64))
foreign = Foreign().eval()
def adapted(n):
    for _ in range(n): adapt(foreign, image_shape=(1, 64, 64))
"""

CASES = {
    "an array of 100 MiB": "peak(lambda: np.ones(100 * 2**17))",
    "first opening of the archive": "peak(lambda: DSprites(sys.argv[1]).sample(64, seed=0))",
    "later opening": "peak(lambda: DSprites(sys.argv[1]).sample(64, seed=0))",
    "patch_sweep, 256 pairs, max_memory 64 MiB": "patches(1); peak(lambda: patches(256))",
    "edge_sweep, 256 pairs, max_memory 64 MiB, 80 MiB of result": (
        "edges(1); peak(lambda: edges(256))"
    ),
    "50 models adapted, and forgotten": "adapted(50); peak(lambda: adapted(50))",
}


def write_archive(path: Path):
    "All 737,280 images in the real archive's order."
    classes = np.stack(
        np.meshgrid(*(np.arange(len(f.values)) for f in DSPRITES_FACTORS), indexing="ij"), -1
    ).reshape(-1, 5)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as z:
        with z.open("latents_classes.npy", "w", force_zip64=True) as f:
            np.lib.format.write_array(
                f, np.concatenate([np.zeros((len(classes), 1), int), classes], 1)
            )
        with z.open("imgs.npy", "w", force_zip64=True) as f:
            np.lib.format.write_array_header_1_0(
                f, {"descr": "|u1", "fortran_order": False, "shape": (len(classes), 64, 64)}
            )
            for part in tqdm(np.array_split(classes, 200), desc="writing the archive"):
                factors = pd.DataFrame({
                    f.name: np.asarray(f.values)[part[:, i]] for i, f in enumerate(DSPRITES_FACTORS)
                })
                f.write(unpack(draw_sprites(factors)).numpy().astype(np.uint8).tobytes())


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder)/"dsprites.npz"
        write_archive(archive)
        for what, code in CASES.items():
            print(f"{what}: ", end="", flush=True)
            subprocess.run([sys.executable, "-c", MEASURE + code, archive], check=True)
