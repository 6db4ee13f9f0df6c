"""The tokens by which people and programs are known: made once, kept as hashes in data.dir, revoked by name."""

import hashlib
import json
import os
import re
import secrets
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from settings import Settings
from settings.errors import NotFound, ServiceMissing, WrongUse

SCOPES = ("read", "ingest", "admin")
# What a scope lets in, beside itself.
INCLUDED = {"read": {"read"}, "ingest": {"read", "ingest"}, "admin": {"read", "ingest", "admin"}}
# So that one is recognised where it was pasted by mistake.
PREFIX = "darkroom_"


@dataclass(frozen=True)
class Token:
    """What is known of a token; `sha256` is the hash of the secret, which is random and so needs no slower one."""

    name: str
    scopes: tuple[str, ...]
    sha256: str
    created: float

    def to_dict(self) -> dict[str, Any]:
        """What may be shown: all but the hash."""
        return {name: value for name, value in asdict(self).items() if name != "sha256"}


class Tokens:
    """The file of tokens; every look reads it anew when it has changed, so a revoked one is out at once."""

    def __init__(self, settings: Settings) -> None:
        self._file = settings.data.dir / "web" / "tokens.json"
        self._read: tuple[tuple[int, int, int], dict[str, Token]] | None = None

    def create(self, name: str, scopes: Sequence[str]) -> str:
        """Make a token; returns its secret. Raises WrongUse for a name that is taken or none."""
        if not re.fullmatch(r"[\w .@-]{1,60}", name):
            raise WrongUse("The name of a token has at most 60 letters, digits, spaces, dots, dashes and @.")
        known = self._load()
        if any(token.name == name for token in known.values()):
            raise WrongUse(f"There is a token {name!r} already: revoke it first, or take another name.")
        secret = PREFIX + secrets.token_urlsafe(32)
        token = Token(name, tuple(scopes), _hash(secret), time.time())
        self._write([*known.values(), token])
        return secret

    def all(self) -> list[Token]:
        """Every token, the oldest first."""
        return sorted(self._load().values(), key=lambda token: token.created)

    def revoke(self, name: str) -> None:
        """Forget a token; raises NotFound where there is none of this name."""
        known = self._load().values()
        left = [token for token in known if token.name != name]
        if len(left) == len(known):
            raise NotFound(f"There is no token {name!r}: `darkroom token list` shows them.")
        self._write(left)

    def scopes_of(self, secret: str) -> set[str]:
        """What the holder of this secret may do; nothing for one that is not known."""
        token = self._load().get(_hash(secret))
        return set().union(*(INCLUDED[scope] for scope in token.scopes)) if token else set()

    def _load(self) -> dict[str, Token]:
        """Hash -> token."""
        try:
            status = self._file.stat()
            state = (status.st_ino, status.st_size, status.st_mtime_ns)
            if self._read is None or self._read[0] != state:
                rows = json.loads(self._file.read_text(encoding="utf-8"))
                tokens = [Token(row["name"], tuple(row["scopes"]), row["sha256"], row["created"]) for row in rows]
                self._read = state, {token.sha256: token for token in tokens}
            return self._read[1]
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise ServiceMissing(f"The tokens in {self._file} cannot be read: {error}.") from None

    def _write(self, tokens: Sequence[Token]) -> None:
        part = self._file.with_suffix(".part")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            part.unlink(missing_ok=True)
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "w", encoding="utf-8") as file:
                json.dump([asdict(token) for token in tokens], file)
            part.replace(self._file)
        except OSError as error:
            raise ServiceMissing(f"The tokens cannot be written to {self._file}: {error.strerror}.") from None


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
