"""The packages that the local stack needs on this machine, beside those of the producer."""

import importlib.util

from settings import Settings
from settings.errors import ServiceMissing
from settings.extras import install_hint


def require_packages(settings: Settings) -> None:
    """Raise ServiceMissing when this machine lacks packages of the local stack that these settings ask for."""
    wanted = {"workers": "gpu", "torch": "gpu", "transformers": "gpu", "PIL": "gpu"}
    wanted["qdrant_edge" if settings.qdrant.url == "embedded" else "qdrant_client"] = "storage"
    missing = [package for package in wanted if importlib.util.find_spec(package) is None]
    if missing:
        extras = sorted({wanted[package] for package in missing})
        raise ServiceMissing(
            f"The local stack needs packages that are not installed ({', '.join(missing)}): "
            f"run {install_hint(*extras)}, or set broker.url to use the workers of other machines."
        )
