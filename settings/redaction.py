"""The secrets of the settings, and texts in which none of them stands."""

from urllib.parse import parse_qs, quote, unquote, urlsplit

from settings.broker_url import parse_broker_url
from settings.loading import Settings

HIDDEN = "***"


def secrets_of(settings: Settings) -> list[str]:
    """Every password and key of the settings, as written and as decoded, the longest first."""
    found: set[str] = set()
    for url in (settings.broker.url, settings.qdrant.url):
        parts = urlsplit(url)
        password = parts.netloc.rpartition("@")[0].partition(":")[2]
        found |= {password, unquote(password), *parse_qs(parts.query).get("password", [])}
    if settings.broker.url != "embedded":
        password = parse_broker_url(settings.broker.url).password
        found |= {password, quote(password, safe="")}  # as Celery writes it in a URL
    if settings.qdrant.api_key:
        found.add(settings.qdrant.api_key.get_secret_value())
    if settings.models.caption_key:
        found.add(settings.models.caption_key.get_secret_value())
    if settings.flower.basic_auth:
        found.add(settings.flower.basic_auth.get_secret_value().partition(":")[2])
    return sorted(found - {""}, key=len, reverse=True)


def without(secrets: list[str], text: str) -> str:
    """The text with every secret in it replaced."""
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    return text
