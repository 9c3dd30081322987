"""What do products in bfloat16 give a sweep and a circuit, and what do they cost? Run: python
benchmarks/precision.py [--write]

The same questions to a shipped model with and without `torch.autocast("cpu", torch.bfloat16)`, on
one thread, with pictures of dSprites. A processor without instructions for bfloat16 is slower with
it. --write puts the table into README.md."""
import sys
import time

import numpy as np
import torch
from _shared import show, table, write_section

import vae_circuits as vc

PAIRS = 32


def answered(call) -> tuple:
    "What a call gives, and its seconds of the processor, the second time."
    call()
    start = time.process_time()
    result = call()
    return result, time.process_time() - start


def both(call) -> tuple:
    "The answers in float32 and in bfloat16, and the row of their seconds."
    exact, seconds = answered(call)
    with torch.autocast("cpu", torch.bfloat16): rounded, fewer = answered(call)
    row = {"float32": seconds, "bfloat16": fewer, "ratio": seconds / fewer}
    return exact, rounded, row


def sweep(vae, pairs, part, sites, readout) -> dict:
    call = lambda: vc.patch_sweep(vae, *pairs.images, sites, readout=readout).array.values
    exact, rounded, row = both(call)
    away, size = np.abs(rounded - exact), np.abs(exact)
    return {"question": f"patch_sweep, {part}", **row, "worst": float(away.max() / size.max()),
            "median": float(np.median(away[size > 0] / size[size > 0]))}


def circuit(vae, world, part) -> dict:
    exact, rounded, row = both(lambda: vc.find_circuit(vae, world, "posX", part, pairs=PAIRS))
    here, there = set(exact.units), set(rounded.units)
    return {"question": f"find_circuit, {part}", **row, "units": len(here),
            "in both": len(here & there)}


def rows():
    vae, world = vc.load_pretrained("beta_vae", "dsprites"), vc.dataset("dsprites")
    pairs = vc.pairs_of(world, "posX", world.sample(PAIRS, 0))
    encoder = [f"encoder_conv_{i}" for i in range(3)]
    yield sweep(vae, pairs, "encoder", encoder, "mu")
    yield sweep(vae, pairs, "decoder", ["decoder_conv_0", "decoder_conv_1"], "recon")
    for part in ("encoder", "decoder"): yield circuit(vae, world, part)


NOTES = (
    f"{PAIRS} pairs, one thread, seconds of the processor. *worst*: largest error of an effect "
    "over the largest effect; *median*: of an effect's error over that effect. *units*: of the "
    "circuit in float32, and how many of them bfloat16 finds too.",
    "The package computes in the precision of the model's weights. Whoever can live with these "
    "errors puts `with torch.autocast('cpu', torch.bfloat16):` around a call; effects are "
    "differences of nearly equal numbers, which is where bfloat16 is weakest.",
)

if __name__ == "__main__":
    torch.set_num_threads(1)
    found = []
    for row in rows():
        found.append(row)
        show(row)
    if "--write" in sys.argv:
        columns = list(dict.fromkeys(key for row in found for key in row))
        write_section("Precision", [*table(found, columns, 2), "", *NOTES])
