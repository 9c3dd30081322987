"""How many images a second do models see that are trained side by side on one CUDA device? Run:
python benchmarks/fleet.py [--blocks 6] [--write]

For each model, a number of seeds at once and of such groups in streams beside each other, on all
images of dSprites, in bfloat16, in batches of 64 a model. The layers are those of
`vae_circuits.fused`; their terms and gradients against those of PyTorch's layers in float32 are
printed first. Runs on a CUDA device only."""
import argparse
import tempfile
import time
from copy import deepcopy
from pathlib import Path

import torch
from _shared import table, write_section
from torch.func import functional_call, stack_module_state, vmap

from vae_circuits.archives import world
from vae_circuits.flight import BLOCK, Flight, Pool, _advance, _prepare
from vae_circuits.fused import Fused, FusedVAE
from vae_circuits.seeds import Pair
from vae_circuits.recipes import TrainConfig, build

CASES = (("vae", 3, 1), ("vae", 6, 1), ("vae", 6, 2), ("vae", 10, 1), ("vae", 10, 2),
         ("factor_vae", 3, 1), ("factor_vae", 3, 2), ("factor_vae", 10, 1), ("beta_tcvae", 8, 1))


def errors(model: str, pool: Pool) -> str:
    "Relative differences of terms, and the largest of a gradient of the VAE's, from PyTorch's."
    pairs = [Pair(*build(TrainConfig(model=model, seed=seed))).cuda() for seed in range(3)]
    (weights, _), equations = stack_module_state(pairs), deepcopy(pairs[0]).to("meta").eval()
    objective = pairs[0].objective
    every = [objective.noise(64, 10, torch.Generator().manual_seed(s)) for s in range(3)]
    noise = [torch.stack(e).cuda() for e in zip(*every)]
    picks = torch.randint(len(pool), (objective.draws, 3, 64), device="cuda")
    call = lambda w, x, e: functional_call(equations, w, (x, e, 0.0))
    own = [w for name, w in weights.items() if name.startswith("model")]
    step = lambda: vmap(call)(weights, [pool.take(p) for p in picks], noise)
    slopes = lambda terms: torch.autograd.grad(terms["loss"].sum(), own)
    plain = step()
    wanted = slopes(plain)
    equations.model.__class__ = FusedVAE
    with Fused(): terms = step()
    gap = lambda a, b: ((a - b).norm() / b.norm()).item()
    most = max(gap(a, b) for a, b in zip(slopes(terms), wanted))
    parts = [f"{name} {gap(value, plain[name]):.0e}" for name, value in terms.items()]
    return f"{model}: {', '.join(parts)}, gradients {most:.0e}"


def rate(model: str, seeds: int, streams: int, pool: Pool, blocks: int) -> float:
    "Images a second, set-up left out."
    settings = dict(model=model, epochs=2, precision="bfloat16")
    with tempfile.TemporaryDirectory() as folder:
        flights = []
        for i in range(streams):
            configs = [TrainConfig(seed=100 * i + s, **settings) for s in range(seeds)]
            folders = [Path(folder)/str(c.seed) for c in configs]
            flights.append(Flight(configs, folders, pool))
            _prepare(flights[-1])
        torch.cuda.synchronize()
        before, start = sum(f.step for f in flights), time.perf_counter()
        for _ in range(blocks):
            for flight in flights: _advance(flight)
        torch.cuda.synchronize()
        steps = sum(f.step for f in flights) - before
        return steps * seeds * configs[0].batch_size / (time.perf_counter() - start)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=6, help=f"of {BLOCK} steps")
    parser.add_argument("--write", action="store_true", help="write benchmarks/README.md")
    args, rows = parser.parse_args(), []
    if not torch.cuda.is_available(): return print("no CUDA device here: nothing is measured")
    pool = Pool(world("dsprites"), "cuda")
    lines = [f"- {errors(model, pool)}." for model in ("vae", "factor_vae", "beta_tcvae")]
    print(*lines, sep="\n", flush=True)
    for model, seeds, streams in CASES:
        found = rate(model, seeds, streams, pool, args.blocks)
        rows.append({"model": model, "seeds": seeds, "streams": streams,
                     "images a second": f"{round(found, -3):,.0f}"})
        print(*rows[-1].values(), flush=True)
    if not args.write: return
    where = f"On one {torch.cuda.get_device_name()}, {time.strftime('%Y-%m-%d')}"
    what = f"{where}; bfloat16, batches of 64 images of dSprites a model."
    write_section("Fleet", [what, "", *table(rows, list(rows[0])), "", *lines])


if __name__ == "__main__": main()
