"""How many images a second do the two worlds draw? Run: python benchmarks/renderer.py"""
import time

from vae_circuits.data import DATASETS, dataset


def rate(data, batch: int, seconds: float = 3.0) -> float:
    "Images a second of `data.sample`, floats included, in batches of `batch`."
    data.sample(batch, seed=0)
    start, n = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        n += len(data.sample(batch, seed=n))
    return n / (time.perf_counter() - start)


if __name__ == "__main__":
    for name in DATASETS:
        for batch in (64, 1024, 16384):
            print(
                f"{name:<10} batches of {batch:>6}: {rate(dataset(name), batch):>9,.0f} images a"
                " second"
            )
