"""How many images a second does training see, by layout and precision? Run: python benchmarks/training.py

Each line is one setting of the same step (the paper's VAE, batches of 64), and its ratio to the first.
"""
import time

import torch
from vae_circuits.training import TrainConfig, Trainer, batches


def rate(config: TrainConfig, contiguous: bool = False, compiled: bool = False, steps: int = 40) -> float:
    "Images a second over `steps` steps, drawing included, after ten steps of warming up."
    trainer = Trainer(config)
    if contiguous: trainer.model = trainer.model.to(memory_format=torch.contiguous_format)
    if compiled: trainer.model = torch.compile(trainer.model)
    for step, images, generator in batches(config, trainer.objective.draws):
        if step == 10: start = time.perf_counter()
        if step == 10 + steps: return steps * config.batch_size / (time.perf_counter() - start)
        trainer.step(step, images, generator)


if __name__ == "__main__":
    base = None
    for model in ("vae", "factor_vae"):
        for precision in ("float32", "bfloat16"):
            for layout in ("contiguous", "channels last", "channels last, compiled"):
                config = TrainConfig(model=model, precision=precision, epochs=1, epoch_images=64 * 60, device="cpu")
                try: speed = rate(config, layout == "contiguous", "compiled" in layout)
                except Exception as e:  # compilation needs a C++ compiler
                    print(f"{model:<11} {precision:<9} {layout:<24} not possible here: {str(e).splitlines()[0][:60]}")
                    continue
                base = base or speed
                print(f"{model:<11} {precision:<9} {layout:<24} {speed:>7,.0f} images a second, {speed / base:.2f}x", flush=True)
