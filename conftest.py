"""Lets nbval check notebooks that nbdev has cleaned.

nbdev_clean removes execution counts, which nbval then reads as "never run"; and nbval knows nothing
of nbdev's directives. So every cell gets a count, cells that nbdev would not run are skipped, and
only cells marked `#| check` have their stored output compared."""
import re

import pytest

NOT_RUN = re.compile(r"^#\s*\|\s*(eval:\s*false|slow|cuda|notest)\b", re.M)
CHECKED = re.compile(r"^#\s*\|\s*check\b", re.M)


def pytest_collection_modifyitems(items):
    for number, item in enumerate(items, 1):
        cell = getattr(item, "cell", None)
        if cell is None: continue
        cell.execution_count = number
        for output in cell.outputs:
            if output.output_type == "execute_result": output.execution_count = number
        if NOT_RUN.search(cell.source):
            item.add_marker(pytest.mark.skip(reason="marked as not to be run"))
        item.options["check"] = bool(CHECKED.search(cell.source))
