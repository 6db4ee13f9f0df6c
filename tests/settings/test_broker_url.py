"""broker.url: what is taken, what is refused with which sentence, and that a password shows in neither."""

import pytest

from settings import load_settings
from settings.broker_url import BrokerUrl, parse_broker_url
from settings.redaction import secrets_of, without
from tests.settings.conftest import Write, refusal


@pytest.mark.parametrize(
    ("url", "meaning"),
    [
        ("redis://h", BrokerUrl("redis", (("h", 6379),))),
        ("redis://H.example:7000/3", BrokerUrl("redis", (("h.example", 7000),), db=3)),
        ("redis://h?db=3", BrokerUrl("redis", (("h", 6379),), db=3)),
        ("redis://h/3?db=3", BrokerUrl("redis", (("h", 6379),), db=3)),
        ("redis://[::1]:7000/", BrokerUrl("redis", (("::1", 7000),))),
        ("redis://:p%40ss@h", BrokerUrl("redis", (("h", 6379),), password="p@ss")),
        ("redis://h?password=p%40ss&username=me", BrokerUrl("redis", (("h", 6379),), username="me", password="p@ss")),
        ("redis://me@h", BrokerUrl("redis", (("h", 6379),), username="me")),
        ("unix:///run/redis.sock?db=3", BrokerUrl("unix", path="/run/redis.sock", db=3)),
        ("redis+socket:///run/redis.sock?virtual_host=3", BrokerUrl("unix", path="/run/redis.sock", db=3)),
        ("unix://me:pw@/run/a%20b.sock", BrokerUrl("unix", path="/run/a b.sock", username="me", password="pw")),
        (
            "rediss://h?ssl_cert_reqs=CERT_NONE&ssl_ca_certs=/ca.pem&ssl_check_hostname=False",
            BrokerUrl(
                "rediss",
                (("h", 6379),),
                tls={"ssl_ca_certs": "/ca.pem", "ssl_cert_reqs": "none", "ssl_check_hostname": False},
            ),
        ),
        (
            "sentinel://:pw@a;b:7/2?master_name=darkroom",
            BrokerUrl("sentinel", (("a", 26379), ("b", 7)), db=2, password="pw", master="darkroom"),
        ),
        (
            "sentinel://:pw@a:1/2;sentinel://:pw@b:2/2?master_name=darkroom",
            BrokerUrl("sentinel", (("a", 1), ("b", 2)), db=2, password="pw", master="darkroom"),
        ),
    ],
)
def test_a_url_has_one_meaning_however_it_is_spelt(url: str, meaning: BrokerUrl) -> None:
    assert parse_broker_url(url) == meaning


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("redis://h/queue", "must name a database by its number, such as /0 or ?db=0."),
        ("redis://h/-1", "must name a database by its number"),
        ("redis://h/1?db=2", "says db twice, and not the same."),
        ("redis://h?db=1&db=2", "says db twice"),
        ("redis://:pa55@h?password=pa55x", "says password twice"),
        (
            "redis://h?socket_timeout=5",
            "has the option socket_timeout, which is not known for redis://; known are db, ",
        ),
        ("redis://h?ssl_ca_certs=/ca", "has the option ssl_ca_certs, which is not known for redis://"),
        ("rediss://h?ssl_min_version=1", "known are db, virtual_host, username, password, ssl_ca_certs"),
        ("rediss://h?ssl_cert_reqs=maybe", "has an ssl_cert_reqs that is not required, optional or none."),
        ("rediss://h?ssl_check_hostname=2", "has an ssl_check_hostname that is not true or false."),
        ("redis://:pa55?pa55=pa55@h/0", "has a name or password with a mark that must be written in percent: @ as %40"),
        ("redis://:pa55/pa55@h/0", "with a mark"),
        ("redis://me:pa55#pa55@h/0", "with a mark"),
        ("redis://me:pa55@pa55@h/0", "has a name or password with a mark"),
        ("redis://h?pa55-pa55=1", "has an option, which is not known"),
        ("redis://", 'must be "embedded" or a URL'),
        ("redis://h:0", 'must be "embedded" or a URL'),
        ("redis://h:99999", 'must be "embedded" or a URL'),
        ("redis://a,b", 'must be "embedded" or a URL'),
        ("unix://run/redis.sock", "must name a socket by its whole path"),
        ("unix:///", "must name a socket by its whole path"),
        ("sentinel://a;b/0", "must say which Redis the sentinels watch: add ?master_name=NAME."),
        ("redis+cluster://h", "names a Redis Cluster, which Darkroom cannot use: name a single Redis, or one behind"),
    ],
)
def test_what_is_refused_is_wrong_use_in_one_sentence_without_the_password(write: Write, url: str, words: str) -> None:
    write(f'[broker]\nurl = "{url}"\n')
    sentence = refusal()
    assert "broker.url " in sentence
    assert words in sentence
    assert "pa55" not in sentence
    assert sentence.count("\n") == 0


@pytest.mark.parametrize(
    "url",
    [
        "redis://:pa55%40word@h/0",
        "redis://me:pa55%40word@h/0",
        "redis://h/0?password=pa55%40word",
        "redis://h/0?db=0&pass%77ord=pa55%40word",
        "unix://:pa55%40word@/run/redis.sock",
        "unix:///run/redis.sock?password=pa55%40word&db=1",
        "rediss://:pa55%40word@h?ssl_cert_reqs=none",
        "sentinel://:pa55%40word@a;:pa55%40word@b/0?master_name=m",
        "sentinel://a;sentinel://:pa55%40word@b/0?master_name=m",
    ],
)
def test_a_password_shows_in_no_spelling(write: Write, url: str) -> None:
    write(f'[broker]\nurl = "{url}"\n')
    settings = load_settings()
    assert parse_broker_url(url).password == "pa55@word"
    assert "pa55" not in f"{settings.broker.safe_url} {settings!r} {settings.model_dump_json()}"
    hidden = without(secrets_of(settings), f"{url} pa55@word pa55%40word")
    assert "pa55" not in hidden
