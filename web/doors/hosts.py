"""Which names a request may call this server by, and which pages may send one."""

import ipaddress
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from settings import Settings
from settings.listening import is_loopback

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


def is_open(settings: Settings) -> bool:
    """True where nobody needs a token: only programs of this machine can reach the server, and under no other name."""
    return is_loopback(settings.web.address) and not settings.web.hosts


def is_own_host(host: str, settings: Settings) -> bool:
    """True for an IP address, localhost and the names in the settings.

    A page of somebody else's can make a browser believe that its own name has our address (DNS rebinding); an IP
    address is no name.
    """
    name = re.sub(r":\d+$", "", host).removeprefix("[").removesuffix("]").lower().rstrip(".")
    if name == "localhost" or name in {each.lower() for each in (settings.web.address, *settings.web.hosts)}:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_foreign(method: str, path: str, headers: Mapping[str, str]) -> bool:
    """True for a request that a page of another site sends by the browser of somebody who may come in.

    Links from elsewhere lead to our pages, and to nothing else: no picture, no answer and no change.
    """
    site = headers.get("sec-fetch-site", "none")
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != headers.get("host"):
        return True
    if site in ("same-origin", "none"):
        return False
    is_link = method in SAFE_METHODS and headers.get("sec-fetch-mode") == "navigate"
    return not (is_link and headers.get("sec-fetch-dest") == "document" and not path.startswith("/api/"))
