"""What does a KL autoencoder of Stable Diffusion's shape cost? Run: python benchmarks/large.py
[--size 256] [--threads 1] [--write] (Linux)

83 million random weights, color images of 256 x 256. It is adapted; the channels of one stage are
swept, and mediated; the encoder's blocks are searched for a circuit, each as a whole; and a page is
asked for. Printed are seconds, and the most memory that the process held until then. With --write,
benchmarks/README.md gets them."""
import argparse
import time
import warnings

import numpy as np
import torch

from vae_circuits.adapt import adapt
from vae_circuits.core import InputError
from vae_circuits.mediation import mediate
from vae_circuits.pages import latents_page
from vae_circuits.patching import patch_sweep
from vae_circuits.trials import Trial

from _shared import table, write_section

STAGE = "encoder.mid_block.resnets.1"


def autoencoder(size):
    from diffusers import AutoencoderKL
    torch.manual_seed(0)
    return AutoencoderKL(sample_size=size, block_out_channels=(128, 256, 512, 512),
                         layers_per_block=2, down_block_types=("DownEncoderBlock2D",) * 4,
                         up_block_types=("UpDecoderBlock2D",) * 4).eval()


def held() -> float:
    "GiB that the process held at the most."
    lines = open("/proc/self/status", encoding="utf-8")
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 2**20


def measured(what, call, rows):
    "The answer to a question; seconds and GiB are printed, and go to the `rows`."
    start = time.perf_counter()
    try: found = call()
    except InputError as e: found = str(e)
    rows.append({"question": what, "seconds": time.perf_counter() - start, "GiB": held(),
                 "answer": found if isinstance(found, str) else ""})
    print(table(rows[-1:], [*rows[-1]])[-1], flush=True)
    return found


def blocks(vae) -> list:
    "What each residual block of the encoder adds."
    return [s for s in vae.sites if s.startswith("encoder") and s.endswith("conv2")]


def block_circuit(vae, clean, changed) -> str:
    "The blocks that are needed to keep the error of mu below 0.2, taken out from the last one on."
    trial = Trial(vae, clean, changed, sites=blocks(vae))
    keep = trial.everything()
    for site in reversed(trial.sites):
        without = {**keep, site: np.zeros_like(keep[site])}
        if trial.error(without)[0] < 0.2: keep = without
    needed = [site for site, mask in keep.items() if mask.any()]
    return f"{len(needed)} of {len(keep)} blocks, error {trial.error(keep)[0]:.2f}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(asked.threads)
    model = autoencoder(asked.size)
    count = sum(p.numel() for p in model.parameters())
    print(f"{count / 1e6:.1f} million weights: {held():.1f} GiB")
    clean, changed = torch.rand(2, 1, 3, asked.size, asked.size)
    rows = []
    vae = measured("adapt", lambda: adapt(model), rows)
    questions = {
        "run": lambda: vae.run(clean, record=["recon"]),
        f"patch_sweep of {vae.sites[STAGE].units} channels":
            lambda: patch_sweep(vae, clean, changed, [STAGE]),
        "mediate by them": lambda: mediate(vae, clean, changed, [STAGE]),
        "a circuit of blocks": lambda: block_circuit(vae, clean, changed),
        "latents_page": lambda: latents_page(vae, clean),
    }
    for what, call in questions.items(): measured(what, call, rows)
    about = f"{asked.size} x {asked.size} pixels, threads: {asked.threads}. GiB: the most so far."
    if asked.write: write_section("Large", [*table(rows, [*rows[0]]), "", about])
