"""The kinds of values that settings have, and what each must be; the sections are made of them.

The description of each is the end of the sentence "... must be", which people read after a wrong value.
"""

import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import unquote, urlsplit

from platformdirs import user_data_path
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from settings.broker_url import parse_broker_url


def redacted(url: str) -> str:
    """The URL with every password in it, in front of the host or in the query, replaced by ***."""
    address, mark, query = re.sub(r"//([^:/@]*):.*@", r"//\1:***@", url).partition("?")
    options = (option.partition("=") for option in query.split("&"))
    # However its name is spelt: pass%77ord is the same.
    shown = (name + sign + ("***" if "password" in unquote(name).lower() else value) for name, sign, value in options)
    return address + mark + "&".join(shown)


def address(*schemes: str) -> AfterValidator:
    """Lets through "embedded" and the URLs of these schemes that name a host."""

    def check(url: str) -> str:
        parts = urlsplit(url)
        if url != "embedded" and (parts.scheme not in schemes or not parts.hostname or parts.port == 0):
            raise ValueError
        return url

    return AfterValidator(check)


def broker(url: str) -> str:
    """`url` as it is, if it is "embedded" or an address of a Redis; raises BadBrokerUrl with the reason."""
    if url != "embedded":
        parse_broker_url(url)
    return url


def root(text: str) -> str:
    """`text` as it is, if it names an absolute folder or a place elsewhere without login, query or detour.

    Raises ValueError else.
    """
    address = re.fullmatch(r"(?:s3|gs|https?)://(?:[A-Za-z0-9.\-_]+|\[[0-9A-Fa-f:.]+\])(?::\d+)?(/[^?#\\\x00]*)?", text)
    if address is None and not text.startswith("/"):
        raise ValueError
    if address is not None and {".", ".."} & set(unquote(address[1] or "").split("/")):
        raise ValueError
    return text


def login(secret: SecretStr | None) -> SecretStr | None:
    """`secret` as it is, if there is none or it is "user:password"; raises ValueError."""
    if secret and not re.fullmatch(r"[^:]+:.+", secret.get_secret_value()):
        raise ValueError
    return secret


def own_data_folder() -> Path:
    """Where this system keeps the data of this user's programs."""
    return user_data_path("darkroom", appauthor=False)


Count = Annotated[int, Field(ge=1, description="a whole number of at least 1")]
Seconds = Annotated[int, Field(ge=1, description="a whole number of seconds, at least 1")]
Auto = Annotated[Literal["auto"] | Annotated[int, Field(ge=1)], Field(description='"auto" or a whole number from 1')]
Folder = Annotated[str, Field(pattern=r"^/[^\x00]*$")]
Model = Annotated[str, Field(min_length=1, description="a local folder or the id of a checkpoint on the hub")]
ROOTS = 'a list of absolute folders and addresses such as ["/photos", "s3://bucket/pictures"]'
Roots = Annotated[list[Annotated[str, AfterValidator(root)]], Field(description=ROOTS)]
Host = Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]+$")]
File = Annotated[str, Field(description="the path of a file, or empty for none")]
# TOML knows no null, so in the file an empty text says that there is no secret.
Secret = Annotated[SecretStr | None, BeforeValidator(lambda value: None if value == "" else value)]

URL = r"https?://[^@?#]+"
