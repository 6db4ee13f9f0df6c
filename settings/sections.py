"""The sections of settings.toml: every key, its type and its default.

The description of each field is the end of the sentence "... must be", which people read after a wrong value.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationInfo,
    field_serializer,
    field_validator,
)

from settings.broker_url import ALLOWED
from settings.values import (
    URL,
    Auto,
    Count,
    File,
    Folder,
    Host,
    Model,
    Roots,
    Seconds,
    Secret,
    address,
    broker,
    login,
    own_data_folder,
    redacted,
)


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
        return redacted(self.url)

    @field_serializer("url")
    def _never_the_password(self, url: str) -> str:
        return redacted(url)


class Broker(Service):
    """[broker]: the Redis that carries the work."""

    url: Annotated[str, AfterValidator(broker)] = Field("embedded", repr=False, description=ALLOWED)
    visibility_timeout: Seconds = 60
    ca: File = ""
    cert: File = ""
    key: File = ""


class Qdrant(Service):
    """[qdrant]: where vectors, captions and metadata are kept."""

    url: Annotated[str, address("http", "https")] = Field(
        "embedded", repr=False, description='"embedded" or a URL such as http://host:6333'
    )
    api_key: Secret = Field(None, description="a text, or empty for none")
    move_to: str = Field(
        "",
        pattern=rf"^({URL})?$",
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

    dir: Annotated[Path, BeforeValidator(lambda value: own_data_folder() if value == "" else value)] = Field(
        default_factory=own_data_folder, description="a folder, or empty for the user's data folder"
    )


class Stack(Section):
    """[stack]: the stack that a command starts."""

    linger_seconds: int = Field(300, ge=0, description="a whole number of seconds, or 0 for none")


class Models(Section):
    """[models]: the checkpoints."""

    clip: Annotated[str, Field(min_length=1, description='"auto", a local folder or the id of a checkpoint')] = "auto"
    blip: Model = "Salesforce/blip-image-captioning-base"
    captions: bool = Field(True, description="true or false")
    max_caption_tokens: Count = 30
    caption_prompt: str = ""
    caption_url: str = Field("", pattern=rf"^({URL})?$", description="a URL without a login, or empty for none")
    caption_key: Secret = Field(None, description="a text, or empty for none")
    caption_requests: Count = 4
    ocr: bool = Field(False, description="true or false")
    # Whether `clip` is what "auto" has found.
    _is_auto: bool = PrivateAttr(False)

    @property
    def is_auto(self) -> bool:
        """Whether nobody has named the embedder."""
        return self._is_auto


# MIG-<uuid> is a slice of a GPU; older drivers write MIG-GPU-<uuid>/1/0.
DEVICES = r"(auto|all|cpu|(\d+|(GPU|MIG)-[\w/-]+)(,(\d+|(GPU|MIG)-[\w/-]+))*)"


class Gpu(Section):
    """[gpu]: the worker that runs the models, on a GPU or on the CPU."""

    devices: str = Field(
        "auto",
        pattern=rf"^{DEVICES}$",
        description='"auto", "all", "cpu" or devices by number or UUID, such as "0,1" or "GPU-4f2a"',
    )
    processes: Auto = "auto"
    batch_clip: Auto = "auto"
    batch_blip: Auto = "auto"
    dtype: Literal["auto", "float32", "bfloat16", "float16", "int8"] = Field(
        "auto", description='"auto", "float32", "bfloat16", "float16" or "int8"'
    )
    decode: Literal["auto", "cpu", "cuda"] = Field("auto", description='"auto", "cpu" or "cuda"')
    loaders: Auto = "auto"
    loader_processes: Literal["auto"] | Annotated[int, Field(ge=0)] = Field(
        "auto", description='"auto", a whole number, or 0 for threads of the worker'
    )
    in_flight: Auto = "auto"
    torch_threads: Auto = "auto"
    read_bytes: Auto = "auto"
    hang_seconds: Seconds = 120


class Ingest(Section):
    """[ingest]: what is left out, how much is under way at a time, and what is too much for one picture."""

    exclude: list[Annotated[str, Field(min_length=1)]] = Field(
        [], description='a list of patterns as .gitignore has them, such as ["exports/", "*.tif", "!.hidden"]'
    )
    captions: Literal["auto", "now", "later", "never"] = Field("auto", description='"auto", "now", "later" or "never"')
    window: Count = 1000
    files_per_task: Auto = "auto"
    max_attempts: Count = 3
    max_pixels: Count = 300_000_000
    max_bytes: Count = 500_000_000
    load_seconds: Seconds = 60


class Flower(Section):
    """[flower]: the web page that shows workers and tasks."""

    address: str = Field("127.0.0.1", min_length=1, description="an IP address or host name of this machine")
    port: int = Field(5555, ge=1, le=65535, description="a port number from 1 to 65535")
    basic_auth: Annotated[Secret, AfterValidator(login)] = Field(
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
    allowed: Roots = []


class Thumbnails(Section):
    """[thumbnails]: where small pictures are kept, and how much of them."""

    place: str = Field(
        "auto",
        pattern=r"^(auto|none|/[^\x00]*|(s3|gs)://[A-Za-z0-9.\-_]+(/[^?#\\\x00]*)?)$",
        description='"auto", "none", an absolute folder, or a bucket such as "s3://bucket/thumbnails"',
    )
    bytes: int = Field(2_000_000_000, ge=10_000_000, description="a whole number of at least 10,000,000")


class Web(Section):
    """[web]: the gallery, and the interface for other programs."""

    address: str = Field("127.0.0.1", min_length=1, description="an IP address or host name of this machine")
    port: int = Field(8765, ge=1, le=65535, description="a port number from 1 to 65535")
    hosts: list[Host] = Field([], description='a list of host names without port, such as ["pictures.example.org"]')
    roots: Roots = Field([])
    upload_bytes: Count = 50_000_000
    requests: Count = 240
    up: bool = Field(True, description="true or false")
