"""How much faster than a loop of hooks is a sweep? Run: python benchmarks/sweeps.py [--pairs 64]
[--rounds 3] [--write]

All on the architecture of the paper, in float32, in one run: every channel of three convolutions,
patched one at a time in 64 pairs. The naive loop puts a forward hook on a layer, runs the model on
all pairs, and removes the hook, once for every channel; it is given the donor's activations for
free. nnsight and pyvene are measured on some of the channels if they are installed (pip install
.[benchmarks]). With --write, benchmarks/README.md gets the figures."""
import argparse
import statistics
import time
from types import SimpleNamespace

import torch
from torch import nn
from vae_circuits.data import dataset
from vae_circuits.models import ConvVAE
from vae_circuits.patching import patch_sweep
from vae_circuits.sweeps import prepare
from vae_circuits.shipped import load_pretrained

from _shared import gmacs, rate, seconds, show, table, write_section

ENCODER = ["encoder_conv_0", "encoder_conv_1", "encoder_conv_2"]
DECODER = ["decoder_linear", "decoder_conv_0", "decoder_conv_1"]


class Plain(nn.Module):
    "The paper's VAE as anybody would write it: images in, one of its results out."
    def __init__(self, vae, readout):
        super().__init__()
        self.readout = readout
        for name in (*ENCODER, "mu", *DECODER, "decoder_conv_2"):
            setattr(self, name, getattr(vae, name))

    def forward(self, x):
        for name in ENCODER:
            x = getattr(self, name)(x)
        x = self.mu(x.flatten(1))
        return x if self.readout == "mu" else self.decode(x)

    def decode(self, z):
        for name in (*DECODER, "decoder_conv_2"):
            z = getattr(self, name)(z)
        return z.sigmoid()


def activations(model, x, sites):
    "What the modules called `sites` give on images `x`."
    found = {}
    handles = [
        getattr(model, s).register_forward_hook(lambda m, a, out, s=s: found.update({s: out}))
        for s in sites
    ]
    try:
        model(x)
    finally:
        for handle in handles:
            handle.remove()
    return found


def hooks(model, forward, clean, donors, sites):
    "Effects `[pair, unit, m]` by the naive loop."
    base, effects = forward(clean), []
    for site in sites:
        for channel in range(donors[site].shape[1]):
            def hook(module, args, output):
                output = output.clone()
                output[:, channel] = donors[site][:, channel]
                return output
            handle = getattr(model, site).register_forward_hook(hook)
            effects.append((forward(clean) - base).flatten(1))
            handle.remove()
    return torch.stack(effects, 1)


def compare(name, vae, clean, donor, sites, readout, rounds, show):
    "One row: sweep against hooks, alternating."
    model, exact = Plain(vae, readout), Plain(vae_of(torch.float64), readout)
    donors = activations(model, donor, sites)
    z = activations(model, clean, ["mu"])["mu"]
    patch_sweep(vae, clean[:2], donor[:2], sites, readout=readout)  # traces the network
    times = {"hooks": [], "sweep": [], "forward": []}
    for _ in range(rounds):
        times["forward"].append(seconds(model, clean)[0])
        times["hooks"].append(seconds(hooks, model, model, clean, donors, sites)[0])
        took, sweep = seconds(patch_sweep, vae, clean, donor, sites, readout=readout)
        times["sweep"].append(took)
    median = {k: statistics.median(v) for k, v in times.items()}
    some = min(len(clean), 64 if readout == "mu" else 8)
    truth = hooks(
        exact, exact, clean[:some].double(), activations(exact, donor[:some].double(), sites), sites
    )
    error = (torch.from_numpy(sweep.values[:some]).double() - truth).abs().max() / truth.abs().max()
    speed = rate()
    resume, _ = seconds(patch_sweep, vae, clean, donor, sites, readout=readout, plan="resume")
    work = {
        "hooks": (
            gmacs(hooks, model, model, clean[:2], {s: d[:2] for s, d in donors.items()}, sites)
            / 2
            * len(clean)
        ),
        "resume": gmacs(patch_sweep, vae, clean, donor, sites, readout=readout, plan="resume"),
        "sweep": gmacs(patch_sweep, vae, clean, donor, sites, readout=readout),
    }
    row = {
        "case": name,
        "threads": torch.get_num_threads(),
        "hooks, s": median["hooks"],
        "sweep, s": median["sweep"],
        "ratio": median["hooks"] / median["sweep"],
        "forward passes": median["sweep"] / median["forward"],
        "error": error.item(),
        "multiply-adds, ratio": work["hooks"] / work["sweep"],
        "hooks / floor": median["hooks"] * speed / work["hooks"],
        "sweep / floor": median["sweep"] * speed / work["sweep"],
        "resume, ratio": median["hooks"] / resume,
        "resume / floor": resume * speed / work["resume"],
    }
    if readout == "recon":  # a loop that starts from the latents, for those who would think of it
        row["ratio to decoding alone"] = (
            seconds(hooks, model, lambda _: model.decode(z), clean, donors, sites)[0]
            / median["sweep"]
        )
    show(row)
    return row


def vae_of(dtype):
    """The shipped VAE for dSprites, in PyTorch's usual memory layout. Numbers below 1e-30, which
    weight decay left in dead channels, are set to zero: arithmetic with such numbers is slow,
    and the loop of hooks would suffer from it the most."""
    vae = ConvVAE().eval().requires_grad_(False)
    vae.load_state_dict(load_pretrained("vae", "dsprites").state_dict())
    for p in vae.parameters():
        p[p.abs() < 1e-30] = 0
    return vae.to(dtype, memory_format=torch.contiguous_format)


def interactive(vae, clean, donor):
    """One pair, one patch at a time, through every channel of the encoder: microseconds a patch,
    and those of one pass with a hook."""
    model = Plain(vae, "mu")
    donors = activations(model, donor, ENCODER)
    def session():
        ready = prepare(vae, clean, donor, ENCODER)
        start = time.perf_counter()
        for site in ENCODER:
            for channel in range(donors[site].shape[1]):
                ready.patch(f"{site}[{channel}]")
        return (time.perf_counter() - start) / 224
    session()
    return (
        statistics.median(session() for _ in range(5)) * 1e6,
        statistics.median(
            seconds(hooks, model, model, clean, donors, ENCODER)[0] / 225 for _ in range(5)
        )
        * 1e6,
    )


def with_nnsight(vae, clean, donors, channels):
    from nnsight import NNsight
    model = NNsight(Plain(vae, "mu"))
    def sweep():
        for site in ENCODER:
            for channel in range(channels):
                with model.trace(clean):
                    getattr(model, site).output[:, channel] = donors[site][:, channel]
                    out = model.mu.output.save()
        return out
    return sweep


def with_pyvene(vae, clean, donors, channels):
    import pyvene
    model = Plain(vae, "mu")
    model.config = SimpleNamespace(to_dict=dict)  # asked for, and not used
    def sweep():
        for site in ENCODER:
            for channel in range(channels):
                def put(output, source=None, subspaces=None, site=site, channel=channel):
                    output = output.clone()
                    output[:, channel] = donors[site][:, channel]
                    return output
                out = pyvene.IntervenableModel(
                    {"component": f"{site}.output", "intervention": put}, model=model
                )(base={"x": clean})[1]
        return out
    return sweep


def other_libraries(vae, clean, donor, show, channels: int = 8):
    "The first channels of each layer, by other libraries: time of the hook loop over theirs."
    model = Plain(vae, "mu")
    donors = activations(model, donor, ENCODER)
    some = {s: d[:, :channels] for s, d in donors.items()}
    for name, make in (("nnsight", with_nnsight), ("pyvene", with_pyvene)):
        try:
            sweep = make(vae, clean, donors, channels)
        except ImportError:
            show({"case": name, "ratio": "not installed"})
            continue
        sweep()
        pairs = [
            (seconds(hooks, model, model, clean, some, ENCODER)[0], seconds(sweep)[0])
            for _ in range(3)
        ]
        show({"case": name, "ratio": statistics.median(a / b for a, b in pairs)})


def write(rows, lines):
    columns = [
        "case",
        "threads",
        "ratio",
        "forward passes",
        "error",
        "multiply-adds, ratio",
        "hooks / floor",
        "sweep / floor",
        "resume, ratio",
        "resume / floor",
    ]
    write_section(
        "Sweeps",
        [
            *table(rows, columns),
            "",
            *(f"- {line}" for line in lines),
            "",
            (
                "*ratio*: time of the naive loop of hooks over that of the sweep. *forward passes*:"
                " the sweep's time in passes of the model on all pairs. *error*: largest difference"
                " from"
            ),
            (
                "hooks in float64, over the largest effect. *multiply-adds*: those of the loop over"
                " those of the sweep. *floor*: multiply-adds over the rate of a large matrix"
                " product"
            ),
            (
                "measured beside them. *resume*: the sweep when it runs all that lies after the"
                " site again."
            ),
        ],
    )


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="write benchmarks/README.md")
    args = parser.parse_args()
    torch.manual_seed(0)
    vae = vae_of(torch.float32)
    data = dataset("dsprites")
    sample = data.sample(args.pairs, seed=0)
    changed = torch.stack([
        data.interventions(sample[i : i + 1], data.factor_names[i % 5], seed=i).images[0]
        for i in range(args.pairs)
    ])
    dense = torch.rand(2, args.pairs, 1, 64, 64)
    rows, lines = [], []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        rows.append(
            compare("encoder, random images", vae, *dense, ENCODER, "mu", args.rounds, show)
        )
        rows.append(
            compare(
                "encoder, sprites with one factor changed",
                vae,
                sample.images,
                changed,
                ENCODER,
                "mu",
                args.rounds,
                show,
            )
        )
        rows.append(
            compare(
                "decoder, sprites", vae, sample.images, changed, DECODER, "recon", args.rounds, show
            )
        )
        lines.append(
            f"The decoder sweep against a loop that decodes only, {threads}"
            f" thread{'s' * (threads > 1)}: {rows[-1]['ratio to decoding alone']:.1f}."
        )
        patch, hook = interactive(vae, sample.images[:1], changed[:1])
        lines.append(
            f"One pair, one patch at a time, {threads} thread{'s' * (threads > 1)}:"
            f" {patch / hook:.2f} of a pass with a hook."
        )
        print(lines[-1])
    def library(row):
        ratio = row["ratio"]
        if not isinstance(ratio, str): ratio = f"{ratio:.2f} of the speed of the loop of hooks"
        lines.append(f"{row['case']}, for the same job: {ratio}.")
        print(lines[-1])
    other_libraries(vae, sample.images, changed, library)
    if args.write:
        write(rows, lines)


if __name__ == "__main__":
    main()
