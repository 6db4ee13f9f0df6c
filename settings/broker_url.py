"""What broker.url means: one parser, whose result every library that connects to Redis is given in its own words.

redis-py and kombu read the same URL differently: one takes `?db=3` where the other raises, one takes the first of two
equal options and the other the last. So neither of them sees what the user wrote, and what is ambiguous is refused.
"""

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

SCHEMES = {"redis": "redis", "rediss": "rediss", "unix": "unix", "redis+socket": "unix", "sentinel": "sentinel"}
PORTS = {"redis": 6379, "rediss": 6379, "sentinel": 26379}
# Names by which the libraries know the same thing: kombu calls a database a virtual host.
OPTIONS = {"db": "db", "virtual_host": "db", "username": "username", "password": "password"}
TLS_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
TLS_OPTIONS = (*TLS_FILES, "ssl_cert_reqs", "ssl_check_hostname")
NO_CLUSTER = "which Darkroom cannot use: name a single Redis, or one behind Sentinel"
ALLOWED = '"embedded" or a URL such as redis://host:6379/0, rediss://host:6379/0 or unix:///path/to/redis.sock'


class BadBrokerUrl(ValueError):
    """A URL that is refused; the text is the end of the sentence "broker.url ...", and shows no part of a password."""


@dataclass(frozen=True)
class BrokerUrl:
    """A Redis: `hosts` has one (host, port), several for the sentinels of `master`, none where a socket's `path` is."""

    scheme: str
    hosts: tuple[tuple[str, int], ...] = ()
    path: str = ""
    db: int = 0
    username: str = ""
    password: str = field(default="", repr=False)
    master: str = ""
    tls: dict[str, Any] = field(default_factory=dict)


def parse_broker_url(url: str) -> BrokerUrl:
    """Read a URL; raises BadBrokerUrl with the reason."""
    urls = _single_urls(url)
    for each in urls:
        _check_marks(each)
    try:
        parts = [urlsplit(each) for each in urls]
        # It is read only when it is asked for, and then may raise.
        ports = [part.port for part in parts]
    except ValueError:
        raise BadBrokerUrl(f"must be {ALLOWED}") from None
    kind = parts[0].scheme
    if "cluster" in kind:
        raise BadBrokerUrl(f"names a Redis Cluster, {NO_CLUSTER}")
    if {part.scheme for part in parts} != {kind} or kind not in SCHEMES or 0 in ports:
        raise BadBrokerUrl(f"must be {ALLOWED}")
    scheme = SCHEMES[kind]
    options = _options(scheme, [pair for part in parts for pair in parse_qsl(part.query, keep_blank_values=True)])
    for part in parts:
        for name, value in (("username", part.username), ("password", part.password)):
            _set(options, name, unquote(value or ""))
        if scheme != "unix":
            _set(options, "db", unquote(part.path).removeprefix("/"))
    if scheme == "sentinel" and not options.get("master_name"):
        raise BadBrokerUrl("must say which Redis the sentinels watch: add ?master_name=NAME")
    return BrokerUrl(
        scheme,
        hosts=() if scheme == "unix" else tuple(_host(part, PORTS[scheme]) for part in parts),
        path=_path(parts[0]) if scheme == "unix" else "",
        db=_database(options.get("db", "")),
        username=options.get("username", ""),
        password=options.get("password", ""),
        master=options.get("master_name", ""),
        tls=_tls(options),
    )


def _single_urls(url: str) -> list[str]:
    """The URL itself; for several sentinels one URL each, where `sentinel://` need not be repeated."""
    if not url.startswith("sentinel://"):
        return [url]
    return [part if "://" in part else f"sentinel://{part}" for part in url.split(";") if part]


def _check_marks(url: str) -> None:
    scheme, _, rest = url.partition("://")
    login_and_host = re.split("[/?#]", rest, maxsplit=1)[0]
    behind = rest.removeprefix(login_and_host)
    if SCHEMES.get(scheme) == "unix" and not login_and_host:
        behind = behind.partition("?")[2]
    # A / ? or # in a password ends the address there, and the @ behind it comes to lie in what follows.
    if "@" in behind or "#" in behind or login_and_host.count("@") > 1:
        marks = "@ as %40, / as %2F, ? as %3F, # as %23, ; as %3B, % as %25"
        raise BadBrokerUrl(f"has a name or password with a mark that must be written in percent: {marks}")


def _options(scheme: str, pairs: list[tuple[str, str]]) -> dict[str, str]:
    known = [*OPTIONS, *(TLS_OPTIONS if scheme == "rediss" else ()), *(["master_name"] if scheme == "sentinel" else ())]
    options: dict[str, str] = {}
    for name, value in pairs:
        if name not in known:
            # Only what looks like an option is shown: anything else may be a part of a password.
            shown = f"the option {name}" if re.fullmatch(r"[a-z_]{1,40}", name) else "an option"
            raise BadBrokerUrl(f"has {shown}, which is not known for {scheme}://; known are {', '.join(known)}")
        _set(options, OPTIONS.get(name, name), value)
    return options


def _set(options: dict[str, str], name: str, value: str) -> None:
    if value and options.setdefault(name, value) != value:
        raise BadBrokerUrl(f"says {name} twice, and not the same")


def _host(part: SplitResult, port: int) -> tuple[str, int]:
    host = unquote(part.hostname or "")
    if "[" in part.netloc:  # IPv6; Python has checked it
        return host, part.port or port
    if not re.fullmatch(r"[A-Za-z0-9._-]+", host):
        raise BadBrokerUrl(f"must be {ALLOWED}")
    return host.lower(), part.port or port


def _path(part: SplitResult) -> str:
    path = "/" + unquote(part.path).lstrip("/")
    if part.hostname or part.port or path == "/" or "\0" in path:
        raise BadBrokerUrl("must name a socket by its whole path: unix:///path/to/redis.sock")
    return path


def _database(text: str) -> int:
    if not re.fullmatch(r"[0-9]{0,9}", text):
        raise BadBrokerUrl("must name a database by its number, such as /0 or ?db=0")
    return int(text or 0)


def _tls(options: dict[str, str]) -> dict[str, Any]:
    """The options of TLS in one spelling; certificates are checked unless the URL says otherwise."""
    tls: dict[str, Any] = {name: options[name] for name in TLS_FILES if name in options}
    if "ssl_cert_reqs" in options:
        tls["ssl_cert_reqs"] = options["ssl_cert_reqs"].lower().removeprefix("cert_")
        if tls["ssl_cert_reqs"] not in ("required", "optional", "none"):
            raise BadBrokerUrl("has an ssl_cert_reqs that is not required, optional or none")
    if "ssl_check_hostname" in options:
        if options["ssl_check_hostname"].lower() not in ("true", "false"):
            raise BadBrokerUrl("has an ssl_check_hostname that is not true or false")
        tls["ssl_check_hostname"] = options["ssl_check_hostname"].lower() == "true"
    return tls
