"""Optional packages: which extra of the project brings them, said in one way everywhere."""

import importlib

from settings.errors import ServiceMissing


def install_hint(*extras: str) -> str:
    """The command that installs some extras of the project.

    It names a folder and no distribution: the name `darkroom` on the public index belongs to somebody else.
    """
    return f"`pip install '.[{','.join(extras)}]'` in Darkroom's folder"


def require(package: str, extra: str, what: str) -> None:
    """Raise ServiceMissing where `package` cannot be imported; `what` says who needs it: "Parquet needs pyarrow"."""
    try:
        importlib.import_module(package)
    except ImportError:
        raise ServiceMissing(f"{what}, which is not installed: run {install_hint(extra)}.") from None
