"""The sections of settings.toml: every key, its type and its default.

The description of each field is the end of the sentence "... must be", which people read after a wrong value.
"""

import re
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import unquote, urlsplit

from platformdirs import user_data_path
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_serializer,
    field_validator,
)

from settings.broker_url import ALLOWED, parse_broker_url


def _redacted(url: str) -> str:
    """The URL with every password in it, in front of the host or in the query, replaced by ***."""
    address, mark, query = re.sub(r"//([^:/@]*):.*@", r"//\1:***@", url).partition("?")
    options = (option.partition("=") for option in query.split("&"))
    # However its name is spelt: pass%77ord is the same.
    shown = (name + sign + ("***" if "password" in unquote(name).lower() else value) for name, sign, value in options)
    return address + mark + "&".join(shown)


def _address(*schemes: str) -> AfterValidator:
    def check(url: str) -> str:
        parts = urlsplit(url)
        if url != "embedded" and (parts.scheme not in schemes or not parts.hostname or parts.port == 0):
            raise ValueError
        return url

    return AfterValidator(check)


def _broker(url: str) -> str:
    if url != "embedded":
        parse_broker_url(url)
    return url


def _root(text: str) -> str:
    """`text` as it is, if it names an absolute folder or a place elsewhere without login, query or detour."""
    address = re.fullmatch(r"(?:s3|gs|https?)://(?:[A-Za-z0-9.\-_]+|\[[0-9A-Fa-f:.]+\])(?::\d+)?(/[^?#\\\x00]*)?", text)
    if address is None and not text.startswith("/"):
        raise ValueError
    if address is not None and {".", ".."} & set(unquote(address[1] or "").split("/")):
        raise ValueError
    return text


def _login(secret: SecretStr | None) -> SecretStr | None:
    if secret and not re.fullmatch(r"[^:]+:.+", secret.get_secret_value()):
        raise ValueError
    return secret


def _own_data_folder() -> Path:
    """Where this system keeps the data of this user's programs."""
    return user_data_path("darkroom", appauthor=False)


Count = Annotated[int, Field(ge=1, description="a whole number of at least 1")]
Seconds = Annotated[int, Field(ge=1, description="a whole number of seconds, at least 1")]
Auto = Annotated[Literal["auto"] | Annotated[int, Field(ge=1)], Field(description='"auto" or a whole number from 1')]
Folder = Annotated[str, Field(pattern=r"^/[^\x00]*$")]
Model = Annotated[str, Field(min_length=1, description="a local folder or the id of a checkpoint on the hub")]
File = Annotated[str, Field(description="the path of a file, or empty for none")]
# TOML knows no null, so in the file an empty text says that there is no secret.
Secret = Annotated[SecretStr | None, BeforeValidator(lambda value: None if value == "" else value)]


class Section(BaseModel):
    """One [section] of the file: closed, read-only, and silent about the values that it refuses."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, validate_default=True)

    @field_validator("*", mode="before")
    @classmethod
    def _no_boolean_as_number(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, bool) and cls.model_fields[str(info.field_name)].annotation is not bool:
            raise ValueError
        return value


class Service(Section):
    """A section with the address of a service, which may hold a password: only `safe_url` is fit to be shown."""

    url: str = Field("embedded", repr=False)

    @property
    def safe_url(self) -> str:
        """The address without its password, for messages and logs."""
        return _redacted(self.url)

    @field_serializer("url")
    def _never_the_password(self, url: str) -> str:
        return _redacted(url)


class Broker(Service):
    """[broker]: the Redis that carries the work."""

    url: Annotated[str, AfterValidator(_broker)] = Field("embedded", repr=False, description=ALLOWED)
    visibility_timeout: Seconds = 60
    ca: File = ""
    cert: File = ""
    key: File = ""


class Qdrant(Service):
    """[qdrant]: where vectors, captions and metadata are kept."""

    url: Annotated[str, _address("http", "https")] = Field(
        "embedded", repr=False, description='"embedded" or a URL such as http://host:6333'
    )
    api_key: Secret = Field(None, description="a text, or empty for none")
    move_to: str = Field(
        "",
        pattern=r"^(https?://[^@?#]+)?$",
        description="a URL without a login, or empty for none",
    )
    collection: str = Field(
        "pictures",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$",
        description="at most 100 letters, digits, dots, dashes and underscores, the first a letter or digit",
    )
    timeout: Seconds = 60
    ca: File = ""
    grpc_port: int = Field(6334, ge=0, le=65535, description="a port number, or 0 for HTTP alone")
    shards: Auto = "auto"
    replication: Count = 1
    on_disk: bool = Field(False, description="true or false")
    quantization: Literal["none", "scalar", "binary"] = Field("none", description='"none", "scalar" or "binary"')


class Data(Section):
    """[data]: what the local stack keeps on disk."""

    dir: Annotated[Path, BeforeValidator(lambda value: _own_data_folder() if value == "" else value)] = Field(
        default_factory=_own_data_folder, description="a folder, or empty for the user's data folder"
    )


class Models(Section):
    """[models]: the checkpoints."""

    clip: Model = "openai/clip-vit-base-patch32"
    blip: Model = "Salesforce/blip-image-captioning-base"
    captions: bool = Field(True, description="true or false")
    max_caption_tokens: Count = 30


# MIG-<uuid> is a slice of a GPU; older drivers write MIG-GPU-<uuid>/1/0.
DEVICES = r"(auto|all|cpu|(\d+|(GPU|MIG)-[\w/-]+)(,(\d+|(GPU|MIG)-[\w/-]+))*)"


class Gpu(Section):
    """[gpu]: the worker that runs the models, on a GPU or on the CPU."""

    devices: str = Field(
        "auto",
        pattern=rf"^{DEVICES}$",
        description='"auto", "all", "cpu" or CUDA devices by number or UUID, such as "0,1" or "GPU-4f2a"',
    )
    batch_clip: Auto = "auto"
    batch_blip: Auto = "auto"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description='"auto", "float32", "bfloat16" or "float16"'
    )
    loaders: Auto = "auto"
    in_flight: Auto = "auto"
    torch_threads: Auto = "auto"
    read_bytes: Auto = "auto"
    hang_seconds: Seconds = 120


class Ingest(Section):
    """[ingest]: what is left out, how much is under way at a time, and what is too much for one picture."""

    exclude: list[Annotated[str, Field(min_length=1)]] = Field(
        [], description='a list of patterns as .gitignore has them, such as ["exports/", "*.tif", "!.hidden"]'
    )
    window: Count = 1000
    files_per_task: Count = 1
    max_attempts: Count = 3
    max_pixels: Count = 300_000_000
    max_bytes: Count = 500_000_000
    load_seconds: Seconds = 60


class Flower(Section):
    """[flower]: the web page that shows workers and tasks."""

    address: str = Field("127.0.0.1", min_length=1, description="an IP address or host name of this machine")
    port: int = Field(5555, ge=1, le=65535, description="a port number from 1 to 65535")
    basic_auth: Annotated[Secret, AfterValidator(_login)] = Field(
        None, description='"user:password", or empty for no password'
    )
    max_tasks: Count = 10_000
    events: Literal["all", "jobs"] = Field("all", description='"all" or "jobs"')
    persistent: bool = Field(False, description="true or false")
    ingests: Count = 2


class Metrics(Section):
    """[metrics]: what the workers tell Prometheus."""

    address: str = Field("127.0.0.1", min_length=1, description="an IP address or host name of this machine")
    port: int = Field(0, ge=0, le=65000, description="a port number, or 0 for none")


class Paths(Section):
    """[paths]: where this machine finds the files that messages name, and which of them it may read."""

    map: dict[Folder, Folder] = Field(
        {}, description='a table of absolute folders such as {"/photos" = "/mnt/nas/photos"}'
    )
    allowed: list[Annotated[str, AfterValidator(_root)]] = Field(
        [], description='a list of absolute folders and addresses such as ["/photos", "s3://bucket/pictures"]'
    )
