"""How long does it take to see that a model has not changed? Run: python benchmarks/snapshot.py

Every run of an adapted model looks first whether its modules, settings and code are still those
that were traced. The ratio is the time of a look over that of a run of one image, looks included.
"""
import time

import torch
from diffusers import AutoencoderKL
from torch import nn

from vae_circuits.adapt import adapt


class Plain(nn.Module):
    "The paper's network in plain modules."
    def __init__(self):
        super().__init__()
        conv = dict(kernel_size=4, stride=2, padding=1)
        self.body = nn.Sequential(
            nn.Conv2d(1, 32, **conv),
            nn.ReLU(),
            nn.Conv2d(32, 64, **conv),
            nn.ReLU(),
            nn.Conv2d(64, 128, **conv),
            nn.ReLU(),
            nn.Flatten(),
        )
        self.mean, self.spread = nn.Linear(8192, 10), nn.Linear(8192, 10)
        self.back = nn.Sequential(nn.Linear(10, 8192), nn.ReLU(), nn.Unflatten(1, (128, 8, 8)),
                                  nn.ConvTranspose2d(128, 64, **conv), nn.ReLU(),
                                  nn.ConvTranspose2d(64, 32, **conv), nn.ReLU(),
                                  nn.ConvTranspose2d(32, 1, **conv), nn.Sigmoid())

    def encode(self, x):
        h = self.body(x)
        return self.mean(h), self.spread(h)

    def decode(self, z): return self.back(z)


def each(what, times):
    "Milliseconds of one call, the fastest of three rounds."
    rounds = []
    for _ in range(3):
        start = time.perf_counter()
        for _ in range(times): what()
        rounds.append(1000 * (time.perf_counter() - start) / times)
    return min(rounds)


blocks = dict(block_out_channels=(32, 64), down_block_types=("DownEncoderBlock2D",) * 2,
              up_block_types=("UpDecoderBlock2D",) * 2, norm_num_groups=4, sample_size=32)
for name, vae in {"the paper's network": adapt(Plain(), image_shape=(1, 64, 64)),
                  "a small AutoencoderKL": adapt(AutoencoderKL(**blocks))}.items():
    x = torch.rand(1, *vae.image_shape)
    with torch.no_grad(): look, run = each(vae.snapshot.changed, 50), each(lambda: vae.run(x), 20)
    print(f"{name}: a look takes {look:.2f} ms, {look / run:.2f} of a run of one image")
