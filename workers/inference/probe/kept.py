"""What the probe has answered, kept in the data directory, so that a machine asks it once for each checkpoint.

A file that cannot be read is no answer: then the probe is asked again, and writes it anew.
"""

import hashlib
import json
import logging
import os
import platform
from importlib import metadata
from pathlib import Path

from settings import load_settings
from tasks.stack.paths import stack_paths
from workers.inference.probe.rows import Answer

log = logging.getLogger("darkroom.gpu")

# Raise it when a change of ours may give another answer: other pictures, bounds or layers.
PROBE_VERSION = 3
# They hold the kernels to fewer instructions than the processor has.
LIMITS = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY", "MKL_ENABLE_INSTRUCTIONS")
PACKAGES = ("torch", "transformers", "openvino")


def key(kind: str, name: str, asked: str, threads: int, parts: int) -> dict[str, str]:
    """All that an answer depends on: the checkpoint, what is asked of it, the processor and the versions."""
    told = {limit: os.environ[limit] for limit in LIMITS if limit in os.environ}
    return {
        "checkpoint": f"{kind} {name}",
        "asked": asked,
        "processor": processor(),
        "limits": " ".join(f"{limit}={value}" for limit, value in told.items()),
        "threads": f"{parts} x {threads}",
        "versions": " ".join(f"{package} {_version(package)}" for package in PACKAGES),
        "probe": str(PROBE_VERSION),
    }


def read(key: dict[str, str]) -> Answer | None:
    """The answer that is kept for this key; None where there is none that can be read."""
    try:
        found = json.loads(_file(key).read_text(encoding="utf-8"))
        return Answer.from_json(found["answer"]) if found["key"] == key else None
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        if not isinstance(error, FileNotFoundError):
            log.info("%s is no answer of the probe, which is asked again: %s", _file(key), error)
        return None


def write(key: dict[str, str], answer: Answer) -> None:
    """Keep an answer; without a folder to write into, the next start asks again."""
    file = _file(key)
    new = file.with_suffix(f".{os.getpid()}")  # other workers may write the same answer
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new.write_text(json.dumps({"key": key, "answer": answer.as_json()}, indent=1), encoding="utf-8")
        new.replace(file)
    except OSError as error:
        log.info("the answer of the probe is not kept: %s", error)


def processor() -> str:
    """The processor's name, and a fingerprint of what it can do."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    told = dict(line.partition(":")[::2] for line in lines)
    facts = {name.strip(): value.strip() for name, value in told.items()}
    flags = facts.get("flags") or facts.get("Features", "")
    return f"{facts.get('model name', platform.machine())} {hashlib.sha256(flags.encode()).hexdigest()[:8]}"


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "none"


def _file(key: dict[str, str]) -> Path:
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]
    return stack_paths(load_settings()).precisions / f"{digest}.json"
