"""``gonogo verify``: does the gauge answer here as it did where it was made?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gonogo.cli.console import Console
from gonogo.cli.options import AsJson


def run(
    gauge: Annotated[Path, typer.Argument(help="A gauge folder.")],
    as_json: AsJson = False,
) -> None:
    """Replay the golden images on every model file of a gauge."""
    from gonogo.errors import BarNotMetError
    from gonogo.gauge.gauge import Gauge
    from gonogo.gauge.golden import TOLERANCE, verify

    with Console(as_json) as console:
        opened = Gauge.load(gauge)
        rows = verify(opened)
        console.table(
            ("file", "runtime", "golden photos", "largest difference", "heat map", "verdicts"),
            (
                (
                    file.path,
                    file.runtime,
                    str(parity.images),
                    f"{parity.max_abs_diff:.1e}",
                    f"{parity.max_abs_diff_heatmap:.1e}",
                    "equal" if parity.verdicts_equal else "DIFFER",
                )
                for file, parity in rows
            ),
        )
        console.result(
            {
                "gauge": str(gauge),
                "files": [
                    {
                        "runtime": file.runtime,
                        "precision": file.precision,
                        "path": str(opened.file_path(file)),
                        "size_bytes": file.size_bytes,
                        "max_abs_diff": parity.max_abs_diff,
                        "verdicts_equal": parity.verdicts_equal,
                        "refused": None,
                    }
                    for file, parity in rows
                ],
            }
        )
        wrong = [file.path for file, parity in rows if not parity.holds]
        if wrong:
            raise BarNotMetError(
                f"{wrong[0]} does not answer here as it did when it was exported (more than {TOLERANCE:g} apart, or "
                "another verdict); do not use it on this device"
            )
        console.line(f"{gauge} answers here as it did when it was exported")
