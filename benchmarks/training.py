"""How fast is a step of training, beside other trainers and beside the processor? Run: python
benchmarks/training.py [--rounds 5] [--seeds 4] [--device auto] [--write]

One architecture, the paper's VAE, in batches of 64 on dSprites. pythae's trainer and two loops in
plain PyTorch have their images in memory; ours draws them. Ours changes how its process keeps
memory, so every contender has a process of its own, and each round asks all of them in turn for as
many steps as ours draws images for at once. The last contenders are several seeds, one after
another and at once, on images drawn before; they run on --device, the others on the CPU. Printed
are medians over the rounds of the ratios in a round. pythae is measured if it is installed (pip
install pythae). With --write, benchmarks/README.md gets the figures."""
import argparse
import io
import logging
import statistics
import tempfile
import time
from contextlib import redirect_stderr, redirect_stdout, suppress
from itertools import islice
from multiprocessing import get_context

import torch
from _shared import gmacs, rate, show, table, write_section
from torch import nn
from torch.nn import functional as F
from vae_circuits.data import dataset
from vae_circuits.seeds import SeedTrainer
from vae_circuits.recipes import BLOCK, TrainConfig, batches, best_device
from vae_circuits.training import Trainer

STEPS, BATCH = BLOCK, 64  # of a round
FLOOR, DRAWING = ("floor", ""), ("drawing", "")


class Plain(nn.Module):
    "The paper's VAE as anybody would write it: images in; logits, mean and log variance out."
    def __init__(self):
        super().__init__()
        conv = dict(kernel_size=4, stride=2, padding=1)
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 32, **conv),
            nn.ReLU(),
            nn.Conv2d(32, 64, **conv),
            nn.ReLU(),
            nn.Conv2d(64, 128, **conv),
            nn.ReLU(),
            nn.Flatten(),
        )
        self.mu, self.logvar = nn.Linear(8192, 10), nn.Linear(8192, 10)
        self.decoder = nn.Sequential(
            nn.Linear(10, 8192),
            nn.Unflatten(1, (128, 8, 8)),
            nn.ReLU(),
            nn.ConvTranspose2d(128, 64, **conv),
            nn.ReLU(),
            nn.ConvTranspose2d(64, 32, **conv),
            nn.ReLU(),
            nn.ConvTranspose2d(32, 1, **conv),
        )

    def forward(self, x):
        h = self.encoder(x)
        mu, logvar = self.mu(h), self.logvar(h)
        return self.decoder(mu + (0.5 * logvar).exp() * torch.randn_like(mu)), mu, logvar


def pythae():
    """BaseTrainer as it comes, on the layers of `Plain`. Its first step, which sets things up, is
    not timed."""
    from pythae.data.datasets import BaseDataset
    from pythae.models import VAE, VAEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder
    from pythae.trainers import BaseTrainer, BaseTrainerConfig
    from pythae.trainers.training_callbacks import TrainingCallback
    logging.disable(logging.WARNING)
    layers, times = Plain(), []

    class Encoder(BaseEncoder):
        def __init__(self):
            super().__init__()
            self.body, self.mu, self.logvar = layers.encoder, layers.mu, layers.logvar

        def forward(self, x):
            h = self.body(x)
            return ModelOutput(embedding=self.mu(h), log_covariance=self.logvar(h))

    class Decoder(BaseDecoder):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(layers.decoder, nn.Sigmoid())

        def forward(self, z): return ModelOutput(reconstruction=self.body(z))

    class Clock(TrainingCallback):
        def on_train_step_end(self, *args, **kwargs): times.append(time.perf_counter())

    model = VAE(
        VAEConfig(input_dim=(1, 64, 64), latent_dim=10, reconstruction_loss="bce"),
        Encoder(),
        Decoder(),
    )
    images = dataset("dsprites").sample(BATCH * (STEPS + 1), seed=0).images

    def run():
        times.clear()
        with tempfile.TemporaryDirectory() as folder, redirect_stdout(
            io.StringIO()
        ), redirect_stderr(io.StringIO()):
            settings = BaseTrainerConfig(
                folder,
                num_epochs=1,
                per_device_train_batch_size=BATCH,
                learning_rate=1e-3,
                optimizer_cls="Adam",
                optimizer_params={"weight_decay": 1e-5},
                no_cuda=True,
            )
            BaseTrainer(
                model,
                BaseDataset(images, torch.zeros(len(images))),
                training_config=settings,
                callbacks=[Clock()],
            ).train()
        return times[-1] - times[0]
    return run


def loop(compiled: bool = False):
    "The training loop of a tutorial."
    images = torch.utils.data.TensorDataset(
        dataset("dsprites").sample(BATCH * STEPS, seed=0).images
    )
    model = Plain()
    adam = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-5)
    forward = torch.compile(model) if compiled else model

    def run():
        for x, in torch.utils.data.DataLoader(images, BATCH, shuffle=True): step(forward, adam, x)
    return run


def step(forward, adam, x):
    logits, mu, logvar = forward(x)
    loss = (
        F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
        + 0.5 * (mu**2 + logvar.exp() - logvar - 1).sum()
    ) / len(x)
    adam.zero_grad()
    loss.backward()
    adam.step()


def floor():
    "The multiply-adds of the steps at the rate of a large product of float32 matrices."
    model = Plain()
    work = STEPS * gmacs(
        step,
        model,
        torch.optim.Adam(model.parameters()),
        dataset("dsprites").sample(BATCH, seed=0).images,
    )
    return lambda: work / rate()


def ours(model: str = "vae", precision: str = "float32", contiguous: bool = False):
    trainer = Trainer(TrainConfig(model=model, precision=precision, batch_size=BATCH, device="cpu"))
    if contiguous: trainer.model.to(memory_format=torch.contiguous_format)
    stream = batches(trainer.config, trainer.objective.draws)

    def run():
        for batch in islice(stream, STEPS): trainer.step(*batch)
    return run


def drawing():
    stream = batches(TrainConfig(batch_size=BATCH), 1)
    return lambda: list(islice(stream, STEPS)) and None


def several(seeds: int, at_once: bool, precision: str, device: str, record: bool = True):
    "A few steps of every seed on images drawn before; on a graphics card, until it has done them."
    trainers = [
        Trainer(TrainConfig(seed=seed, precision=precision, batch_size=BATCH, device=device))
        for seed in range(seeds)
    ]
    drawn = [
        list(islice(batches(t.config, 1, 0, t.device), STEPS if t.device.type != "cpu" else 4))
        for t in trainers
    ]
    company = SeedTrainer(trainers, record) if at_once else None

    def run():
        if company:
            for k, *every in zip(range(STEPS), *drawn):
                _, images, generators = zip(*every)
                terms = company.step(k, images, generators)
        else:
            for trainer, own in zip(trainers, drawn):
                for batch in own: terms = trainer.step(*batch)
        terms["loss"].sum().item()
    return run


def trainers() -> dict:
    "Name, precision -> the function that sets a contender up, its arguments."
    found = {
        ("pythae, BaseTrainer", "float32"): (pythae, {}),
        ("a loop in PyTorch", "float32"): (loop, {}),
        ("the loop, torch.compile", "float32"): (loop, {"compiled": True}),
    }
    for name, settings in (
        ("ours", {}),
        ("ours, contiguous layout", {"contiguous": True}),
        ("ours, factor_vae", {"model": "factor_vae"}),
    ):
        for precision in ("float32", "bfloat16"):
            found[name, precision] = ours, {**settings, "precision": precision}
    return found | {FLOOR: (floor, {}), DRAWING: (drawing, {})}


def companies(seeds: int, device: str) -> dict:
    ways = {"one after another": {"at_once": False}, "at once": {"at_once": True}}
    if device.startswith("cuda"): ways["at once, not recorded"] = {"at_once": True, "record": False}
    return {
        (name, precision): (several, dict(seeds=seeds, precision=precision, device=device, **way))
        for precision in ("float32", "bfloat16")
        for name, way in ways.items()
    }


def work(pipe, make, kwargs, threads):
    """A contender's process: sets up and warms up, says None or why not, then runs whenever it is
    asked."""
    torch.set_num_threads(threads)
    try:
        run = make(**kwargs)
        run()
    except Exception as e:
        return pipe.send(
            f"not possible here: {type(e).__name__}: {(str(e).splitlines() or [''])[0][:80]}"
        )
    pipe.send(None)
    with suppress(EOFError):  # whoever asked is gone
        while pipe.recv():
            start = time.perf_counter()
            took = run()
            pipe.send(time.perf_counter() - start if took is None else took)


def measure(todo: dict, threads: int, rounds: int) -> dict:
    "Seconds of each contender in each round, or the reason why there are none."
    pipes, found, processes = {}, {}, []
    for key, (make, kwargs) in todo.items():
        pipes[key], theirs = get_context("spawn").Pipe()
        processes.append(
            get_context("spawn").Process(
                target=work, args=(theirs, make, kwargs, threads), daemon=True
            )
        )
        processes[-1].start()
        theirs.close()
        found[key] = pipes[key].recv() or []
    able = [key for key in todo if found[key] == []]
    for _ in range(rounds):
        for key in able:
            pipes[key].send(True)
            found[key].append(pipes[key].recv())
    for key in able: pipes[key].send(False)
    for process in processes: process.join()
    return found


def ratio(a, b):
    "Median over rounds of a / b; NaN where one of them could not be measured."
    return (
        statistics.median(x / y for x, y in zip(a, b))
        if isinstance(a, list) and isinstance(b, list)
        else float("nan")
    )


def of_trainers(found: dict, threads: int) -> tuple:
    "Rows of the table, and a line."
    base, least, rows = found["pythae, BaseTrainer", "float32"], found.pop(FLOOR), []
    drawn = ratio(found.pop(DRAWING), found["ours", "float32"])
    for (name, precision), times in found.items():
        row = {
            "trainer": name,
            "precision": precision,
            "threads": threads,
            "speed, ratio to pythae": ratio(base, times),
            "step / floor": ratio(times, least),
        }
        if isinstance(times, str): row["speed, ratio to pythae"], row["step / floor"] = times, ""
        if "factor" in name: row["step / floor"] = ""  # it has more to multiply
        rows.append(row)
        show(
            row
            | (
                {}
                if isinstance(times, str)
                else {"images a second": STEPS * BATCH / statistics.median(times)}
            )
        )
    return rows, [f"Drawing its images takes {drawn:.1%} of our step in float32, {count(threads)}."]


def of_companies(found: dict, threads: int, seeds: int, device: str) -> list:
    where = (
        torch.cuda.get_device_name(device) if device.startswith("cuda") else f"the {device.upper()}"
    )
    lines = []
    for (name, precision), times in found.items():
        if name == "one after another": continue
        speed = (
            times
            if isinstance(times, str)
            else (
                f"{ratio(found['one after another', precision], times):.2f} times the speed of one"
                " after another"
            )
        )
        lines.append(f"{seeds} seeds {name}, {precision}, on {where}, {count(threads)}: {speed}.")
    return lines


def count(threads): return f"{threads} thread{'s' * (threads > 1)}"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--device", default="auto", help="of the seeds at once")
    parser.add_argument("--write", action="store_true", help="write benchmarks/README.md")
    args = parser.parse_args()
    device, rows, lines = str(best_device(args.device)), [], []
    for threads in (1, 2):
        more, new = of_trainers(measure(trainers(), threads, args.rounds), threads)
        new += of_companies(
            measure(companies(args.seeds, device), threads, args.rounds),
            threads,
            args.seeds,
            device,
        )
        print(*new, sep="\n", flush=True)
        rows, lines = rows + more, lines + new
    if args.write:
        write_section(
            "Training",
            [
                *table(
                    rows,
                    ["trainer", "precision", "threads", "speed, ratio to pythae", "step / floor"],
                    digits=2,
                ),
                "",
                *(f"- {line}" for line in lines),
                "",
                (
                    "*speed, ratio to pythae*: time of as many images in pythae's trainer over the"
                    " time here. *floor*: multiply-adds of a step in float32 over the rate of a"
                    " large matrix"
                ),
                (
                    "product measured beside it; in bfloat16 a processor may be faster than that."
                    " Ours draw their images, the other trainers have theirs in memory."
                ),
            ],
        )


if __name__ == "__main__":
    main()
