"""What all benchmarks share: seconds, multiply-adds, and the sections of README.md. It asks nothing
of the package, so that older versions of it can be measured too."""
import platform
import time
from pathlib import Path

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry


def seconds(function, *args, **kwargs):
    start = time.perf_counter()
    result = function(*args, **kwargs)
    return time.perf_counter() - start, result


class Counter(TorchDispatchMode):
    """Counts floating-point operations. PyTorch's own counter puts hooks on all modules, and hooks
    make a sweep run every pass in full."""
    flops = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        if function._overloadpacket in flop_registry:
            count = flop_registry[function._overloadpacket]
            found = count(*args, **(kwargs or {}), out_val=out)
            if isinstance(found, int): self.flops += found  # a tracer's symbols compute nothing
        return out


def gmacs(function, *args, **kwargs) -> float:
    "Multiply-adds of the products and convolutions in a call, in billions."
    with Counter() as counter:
        function(*args, **kwargs)
    return counter.flops / 2e9


def rate() -> float:
    "Billion multiply-adds a second of a large matrix product, the best of twenty."
    a, b = torch.rand(1024, 1024), torch.rand(1024, 1024)
    return 1024**3 / 1e9 / min(seconds(torch.mm, a, b)[0] for _ in range(20))


def table(rows, columns, digits: int = 1) -> list:
    "Lines of a table in Markdown, a dictionary a row."
    def cell(v):
        if not isinstance(v, float): return str(v)
        return f"{v:.1e}" if 0 < v < 0.01 else f"{v:.{digits}f}"
    return [
        f"| {' | '.join(columns)} |",
        f"|{'---|' * len(columns)}",
        *(f"| {' | '.join(cell(r.get(c, '')) for c in columns)} |" for r in rows),
    ]


def rows_of(title: str) -> list:
    "The rows of the first table in a section of benchmarks/README.md, as `table` wrote it."
    text = (Path(__file__).parent/"README.md").read_text()
    section = text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    lines = [[cell.strip() for cell in line.strip("|").split("|")]
             for line in section.splitlines() if line.startswith("|")]
    return [dict(zip(lines[0], cells)) for cells in lines[2:]]


def write_section(title: str, lines: list):
    """Put the section `title` into benchmarks/README.md, above all what script, software and
    processor made it; other sections stay."""
    here = Path(__file__).parent
    sections = dict(
        part.split("\n", 1) for part in (here / "README.md").read_text().split("\n## ")[1:]
    )
    made = (
        f"Made by `python benchmarks/{title.lower()}.py --write` with PyTorch {torch.__version__},"
        f" Python {platform.python_version()}, {platform.machine()}, {processor()}."
    )
    sections[title] = "\n".join(["", made, "", *lines])
    text = [
        "# Benchmarks",
        "",
        "Each prints ratios measured in one run. None is a test.",
        "",
        *(
            f"- `{p.name}`: {p.read_text().split(chr(34) * 3)[1].splitlines()[0]}"
            for p in sorted(here.glob("[a-z]*.py"))
        ),
        "",
        *(f"## {name}\n{sections[name].rstrip()}\n" for name in sorted(sections)),
    ]
    (here/"README.md").write_text("\n".join(text))


def processor() -> str:
    try:
        lines = open("/proc/cpuinfo", encoding="utf-8")
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown processor"


def show(row):
    print(
        "  ".join(f"{k} {v:.3g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()),
        flush=True,
    )
