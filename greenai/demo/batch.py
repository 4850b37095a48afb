"""A batch job such as firms run at night: load a trained model, classify images, under ``greenai run``.

Usage: ``python -m greenai.demo.batch MODEL_FILE``. Tracked from outside, it adds what
only it knows: how many images it has done, and how well.
"""

from __future__ import annotations

import pickle
import sys
import time
from pathlib import Path

import greenai
from greenai.demo import digits
from greenai.demo.solutions import SHORTEST_RUN_S

REPEAT = 0


def main() -> int:
    """Classify the test images over and over for a measurable time."""
    model = pickle.loads(Path(sys.argv[1]).read_bytes())  # noqa: S301  # written by this demo a moment ago
    _, test_images, _, _ = digits.images(REPEAT)
    with greenai.track("classify") as run:
        began_s = time.monotonic()
        while time.monotonic() - began_s < SHORTEST_RUN_S:
            model.predict(test_images)
            run.add_units(len(test_images))
        run.log_metric(digits.METRIC, digits.accuracy(model, REPEAT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
