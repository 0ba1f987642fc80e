"""Write logs: one line for each occurrence, for people or for machines, on stderr or into a file.

`MDMA_LOG` names a form and a level: `console:info`, `json:warning`.
"""

from __future__ import annotations

import logging
import re
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path

import structlog

FILE_BYTES_MAX = 10_000_000
FILES_KEPT = 3
LEVELS = ("debug", "info", "warning", "error")


def configure(setting: str, file: Path | None = None) -> None:
    """Send what structlog is told to a file, or to stderr."""
    words = set(re.split(r"[\s,:]+", setting.lower()))
    level = next((each for each in LEVELS if each in words), "info")
    handler: logging.Handler
    if file is None:
        handler = logging.StreamHandler(sys.stderr)
    else:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handler = RotatingFileHandler(file, maxBytes=FILE_BYTES_MAX, backupCount=FILES_KEPT)
    handler.setFormatter(logging.Formatter("%(message)s"))
    root = logging.getLogger("mdma")
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    root.propagate = False
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if "json" in words
        else structlog.dev.ConsoleRenderer(colors=file is None and sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            renderer,
        ],
        logger_factory=lambda *_: logging.getLogger("mdma"),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
