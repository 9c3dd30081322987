"""Where Chromium is, and how it is started: for the tests, the benchmark and the screenshots of the
explorers."""
import os
import shutil

FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync".split()
)


def chromium(play):
    """A running headless Chromium; `play` is Playwright. `RuntimeError` says how to get one that is
    not there."""
    path = os.environ.get("CHROMIUM") or next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )
    if path is None:
        raise RuntimeError(
            "no Chromium is found; install it (apt install chromium) or set CHROMIUM to its path"
        )
    return play.chromium.launch(executable_path=path, args=FLAGS)
