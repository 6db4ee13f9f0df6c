"""One broker.url, four libraries: redis-py, kombu, Celery's results and Flower end up at the same Redis."""

import ssl
from typing import Any
from urllib.parse import quote

import pytest
from flower.utils.broker import Broker as FlowersBroker
from hypothesis import given, settings
from hypothesis import strategies as st

from settings.broker_url import BadBrokerUrl, parse_broker_url
from tasks.app import make_app
from tasks.broker import redis_client
from tests.tasks.workers import on_broker

OPTIONS = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs", "ssl_check_hostname")
COMPARED = ("host", "port", "path", "db", "username", "password", *OPTIONS)

names = st.text(max_size=12)
quoted = names.map(lambda text: quote(text, safe=""))
raw = names | quoted
hosts = st.sampled_from(["h", "redis.example", "10.0.0.1", "[::1]", "[fe80::1%25eth0]", "H", ""]) | raw
ports = st.sampled_from(["", ":6380", ":0", ":70000", ":x"])
databases = st.sampled_from(["", "/", "/0", "/7", "/queue", "//3", "/3/", "/%33"]) | raw.map(lambda text: f"/{text}")
options = st.lists(
    st.tuples(
        st.sampled_from(["db", "virtual_host", "username", "password", "socket_timeout", "master_name", *OPTIONS])
        | raw,
        st.sampled_from(["0", "7", "none", "required", "CERT_OPTIONAL", "true", "False", "/ca.pem", "main"]) | raw,
    ).map("=".join),
    max_size=4,
).map(lambda pairs: f"?{'&'.join(pairs)}" if pairs else "")


@st.composite
def logins(draw: st.DrawFn) -> str:
    user, password = draw(st.sampled_from(["", "me"]) | raw), draw(st.sampled_from(["", "pw"]) | raw)
    return draw(st.sampled_from(["", f"{user}@", f"{user}:{password}@"]))


@st.composite
def urls(draw: st.DrawFn) -> str:
    """URLs of all kinds, right ones and wrong ones."""
    scheme = draw(st.sampled_from(["redis", "rediss", "unix", "redis+socket", "sentinel"]))
    if scheme in ("unix", "redis+socket"):
        path = draw(st.sampled_from(["/run/redis.sock", "//run/a b.sock", "/run/a;b+c%20d.sock", "run"]) | raw)
        return f"{scheme}://{draw(logins())}{path}{draw(options)}"
    count = draw(st.integers(1, 3)) if scheme == "sentinel" else 1
    login = draw(logins())
    addresses = ";".join(f"{login}{draw(hosts)}{draw(ports)}" for _ in range(count))
    query = draw(options)
    if scheme == "sentinel" and draw(st.booleans()):
        query = f"{query}{'&' if query else '?'}master_name=main"
    return f"{scheme}://{addresses}{draw(databases)}{query}"


def compared(found: dict[str, Any]) -> dict[str, Any]:
    named = {name: found[name] for name in COMPARED if found.get(name) not in (None, "")}
    if isinstance(checks := named.get("ssl_cert_reqs"), ssl.VerifyMode):
        named["ssl_cert_reqs"] = checks.name.removeprefix("CERT_").lower()
    return named


def sentinels_of(sentinel: Any) -> list[tuple[str, int]]:
    return [
        (each.connection_pool.connection_kwargs["host"], each.connection_pool.connection_kwargs["port"])
        for each in sentinel.sentinels
    ]


def check_all_agree(url: str) -> None:
    """Compare what the libraries make of a URL that is accepted."""
    meaning, mine = parse_broker_url(url), on_broker(url)
    app = make_app(mine)
    connection = app.connection_for_write()
    channel = connection.transport.Channel.__new__(connection.transport.Channel)
    pool: Any = redis_client(mine).connection_pool
    ours = compared(pool.connection_kwargs)
    expected = {"db": meaning.db, "username": meaning.username, "password": meaning.password, "path": meaning.path}
    if meaning.scheme in ("redis", "rediss"):
        expected |= dict(zip(("host", "port"), meaning.hosts[0], strict=True))
    if meaning.scheme == "rediss":
        expected |= {"ssl_cert_reqs": "required", "ssl_check_hostname": True, **meaning.tls}
    assert ours == compared(expected)
    # What kombu's channel does with the URL when it connects.
    channel.connection = connection.transport
    connection.transport.client = connection
    theirs = channel._connparams()
    results = app.backend.connparams
    if meaning.scheme == "sentinel":
        found = {(host["host"], host["port"]) for host in results["hosts"]}
        assert found == set(meaning.hosts) == set(sentinels_of(pool.sentinel_manager))
        assert {(part.hostname, part.port) for part in _parts(connection)} == set(meaning.hosts)
        theirs = {name: value for name, value in theirs.items() if name not in ("host", "port")}
        assert pool.service_name == app.conf.broker_transport_options["master_name"] == meaning.master
        assert app.conf.result_backend_transport_options["master_name"] == meaning.master
    assert compared(theirs) == ours
    assert compared(results) == ours
    if meaning.scheme in ("redis", "rediss"):
        flower = FlowersBroker(app.connection().as_uri(include_password=True), broker_use_ssl=app.conf.broker_use_ssl)
        assert compared(flower.redis.connection_pool.connection_kwargs) == ours


def _parts(connection: Any) -> list[Any]:
    from kombu.utils.url import url_to_parts

    return [url_to_parts(url) for url in connection.alt] or [connection]


@settings(max_examples=300, deadline=None)
@given(url=urls() | st.text(max_size=40) | st.text(max_size=30).map(lambda text: f"redis://{text}"))
def test_any_url_is_refused_with_a_sentence_or_means_the_same_to_all_of_them(url: str) -> None:
    try:
        parse_broker_url(url)
        sentence = None
    except BadBrokerUrl as refused:
        sentence = str(refused)
    if sentence is None:
        check_all_agree(url)
    else:
        assert sentence
        assert "\n" not in sentence


@pytest.mark.parametrize(
    "url",
    [
        "redis://h?db=3&password=p%2Fw",
        "redis://me:a%3Bb@[::1]:7000/2",
        "rediss://:p%40w@h/1?ssl_cert_reqs=none&ssl_ca_certs=/a%20b.pem&ssl_check_hostname=false",
        "unix://me:p%40w@/run/a%3Bb%3F.sock?db=3",
        "redis+socket:///run/redis.sock?virtual_host=3&password=x",
        "sentinel://me:pw@a;me:pw@b:7/2?master_name=main",
        "sentinel://a/2?master_name=main",
    ],
)
def test_these_urls_are_accepted_and_mean_the_same_to_all_of_them(url: str) -> None:
    check_all_agree(url)
