"""Loads the settings: environment variables (`DARKROOM__SECTION__KEY`) win over settings.toml, the file over defaults.

Everything that is wrong with them is told in one sentence that names the file or the variable, the key and what is
allowed, and never shows the value of a secret.
"""

import difflib
import json
import os
import tomllib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from platformdirs import user_config_path
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from settings.broker_url import BadBrokerUrl
from settings.embedder import AUTO, embedder_of
from settings.errors import WrongUse
from settings.sections import (
    Broker,
    Data,
    Flower,
    Gpu,
    Ingest,
    Metrics,
    Models,
    Paths,
    Qdrant,
    Section,
    Stack,
    Thumbnails,
    Web,
)

ROOT = Path(__file__).resolve().parent.parent
PREFIX = "DARKROOM__"
# Never shown, also when they are refused: an address that is no good may still hold a password.
SECRETS = {"broker.url", "qdrant.url", "qdrant.api_key", "flower.basic_auth", "paths.allowed", "web.roots"}


class Settings(BaseModel):
    """All sections; `load_settings` is the way to get one."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, validate_default=True)

    broker: Broker = Broker()
    qdrant: Qdrant = Qdrant()
    data: Data = Field(default_factory=Data)
    stack: Stack = Stack()
    models: Models = Models()
    gpu: Gpu = Gpu()
    ingest: Ingest = Ingest()
    flower: Flower = Flower()
    metrics: Metrics = Metrics()
    paths: Paths = Paths()
    thumbnails: Thumbnails = Thumbnails()
    web: Web = Web()


def is_checkout() -> bool:
    """True where the packages lie in the project's folder, False where they are installed among others."""
    return (ROOT / "pyproject.toml").is_file()


def settings_file() -> Path | None:
    """The file in force: $DARKROOM_SETTINGS, else the user's own, else the one of the checkout, else none.

    Never one of the working directory: a settings.toml there may be that of another program.
    """
    named = os.environ.get("DARKROOM_SETTINGS")
    if named:
        return Path(named).expanduser().absolute()
    places = [user_config_path("darkroom", appauthor=False), *([ROOT] if is_checkout() else [])]
    return next((place / "settings.toml" for place in places if (place / "settings.toml").is_file()), None)


@lru_cache(maxsize=1)
def load_settings() -> Settings:
    """The settings in force, read once for each process; raises WrongUse where one of them is wrong.

    `data.dir` is absolute in the result, and so is a model that names an existing local folder.
    """
    file = settings_file()
    if file and not file.is_file():
        raise WrongUse(f"The settings file {file} does not exist: name another by --settings or DARKROOM_SETTINGS.")
    _check_names_of_variables()
    try:
        settings = Settings(**_told(file))
    except json.JSONDecodeError:
        # `from None`: the original error may quote a secret.
        raise WrongUse(_not_json()) from None
    except tomllib.TOMLDecodeError as error:
        raise WrongUse(f"{file} is not valid TOML: {str(error)[:1].lower()}{str(error)[1:]}.") from None
    except UnicodeDecodeError:
        raise WrongUse(f"{file} is not valid TOML: it must be text in UTF-8.") from None
    except OSError as error:
        raise WrongUse(f"The settings file {file} cannot be read: {error.strerror}.") from None
    except ValidationError as error:
        # `from None`: the original error may quote a secret.
        raise WrongUse(_sentence(error, file)) from None
    return _with_places(settings, file.parent if file else Path.cwd())


def _told(file: Path | None) -> dict[str, Any]:
    """What the file and the environment say, as section -> key -> value.

    pydantic-settings does the same, and takes 20 ms to import, which each command would wait for.
    """
    told: dict[str, Any] = tomllib.loads(file.read_bytes().decode()) if file else {}
    for variable, value in os.environ.items():
        # An empty variable counts as unset: that is what a compose file passes on for what nobody has set.
        if variable.upper().startswith(PREFIX) and value:
            section, _, key = variable[len(PREFIX) :].lower().partition("__")
            keys = told.setdefault(section, {})
            if isinstance(keys, dict):  # else the file is wrong, which is told
                keys[key] = json.loads(value) if _is_json(section, key) else value
    return told


def _is_json(section: str, key: str) -> bool:
    """True for a key that holds a list or a table, which a variable has as JSON."""
    return isinstance(_section(section).model_fields[key].default, list | dict)


def _with_places(settings: Settings, base: Path) -> Settings:
    """The settings with relative folders made absolute; a name that is no local folder stays: it is a hub's id."""

    def model(name: str) -> str:
        folders = (start / Path(name).expanduser() for start in (Path.cwd(), base, ROOT))
        return next((os.path.abspath(folder) for folder in folders if folder.is_dir()), name)

    # Who types a path into a shell means it from where he stands; a settings file is read from anywhere.
    is_typed = any(name.upper() == f"{PREFIX}DATA__DIR" and value for name, value in os.environ.items())
    try:
        data = Path(os.path.abspath((Path.cwd() if is_typed else base) / settings.data.dir.expanduser()))
    except RuntimeError:
        raise WrongUse(
            f"data.dir is {settings.data.dir}, and there is no such home folder: name another one."
        ) from None
    is_auto = settings.models.clip == AUTO
    # A server's collection is told by who keeps it; whoever writes into it with another model is refused by name.
    folder = data / "catalog" / settings.qdrant.collection if settings.qdrant.url == "embedded" else Path()
    clip = embedder_of(folder) if is_auto else model(settings.models.clip)
    models = {"clip": clip, "blip": model(settings.models.blip), "_is_auto": is_auto}
    if settings.models.caption_url:  # there it is the name of a model, and no folder
        del models["blip"]
    return settings.model_copy(
        update={
            "data": settings.data.model_copy(update={"dir": data}),
            "models": settings.models.model_copy(update=models),
        }
    )


def _check_names_of_variables() -> None:
    # A misspelt one must not go unnoticed.
    for variable in sorted(os.environ):
        if meant := _misspelt(variable):
            raise WrongUse(f"{variable} is unknown: did you mean {meant}?")
        if variable.upper().startswith(PREFIX):
            section, _, key = variable[len(PREFIX) :].lower().partition("__")
            if section not in Settings.model_fields:
                raise WrongUse(_unknown(variable, section, Settings.model_fields))
            if key not in _section(section).model_fields:
                raise WrongUse(_unknown(variable, key, _section(section).model_fields, section))


def _misspelt(variable: str) -> str | None:
    """The variable that is meant by one with a single underscore in the place of two: DARKROOM_MODELS_CLIP."""
    name = variable.upper()
    if name.startswith(PREFIX) or not name.startswith(PREFIX.rstrip("_")) or not os.environ[variable]:
        return None
    words = name[len(PREFIX.rstrip("_")) :].lstrip("_").lower()
    return next(
        (
            f"{PREFIX}{section}__{key}".upper()
            for section in Settings.model_fields
            for key in _section(section).model_fields
            if words.replace("__", "_") == f"{section}_{key}"
        ),
        None,
    )


def _not_json() -> str:
    """The sentence about the variable that should hold a list or a table, and is not valid JSON."""
    for variable in sorted(os.environ):
        section, _, key = variable.upper().removeprefix(PREFIX).lower().partition("__")
        if variable.upper().startswith(PREFIX) and _is_json(section, key):
            try:
                json.loads(os.environ[variable] or "null")
            except ValueError:
                return f"{variable} must be {_section(section).model_fields[key].description}, written as JSON."
    return "A variable that holds a list or a table is not valid JSON."


def _section(name: str) -> type[Section]:
    annotation = Settings.model_fields[name].annotation
    assert isinstance(annotation, type)
    assert issubclass(annotation, Section)
    return annotation


def _sentence(error: ValidationError, file: Path | None) -> str:
    """The first of the errors as one sentence."""
    first = error.errors(include_url=False)[0]
    section, *rest = (str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        known: Iterable[str] = _section(section).model_fields if rest else Settings.model_fields
        return _unknown(str(file), rest[0] if rest else section, known, section if rest else None)
    if not rest:
        return f"{file}: {section} must be a table: write [{section}] on a line of its own and its keys below it."
    name = f"{section}.{rest[0]}"
    variable = next((v for v in os.environ if v.upper() == f"{PREFIX}{section}__{rest[0]}".upper()), None)
    allowed = _section(section).model_fields[rest[0]].description
    origin = f"{variable} ({name})" if variable and os.environ[variable] else f"{file}: {name}"
    if isinstance(reason := first.get("ctx", {}).get("error"), BadBrokerUrl):
        return f"{origin} {reason}."
    value = "" if name in SECRETS else f", not {_shown(first['input'])}"
    return f"{origin} must be {allowed}{value}."


def _shown(value: Any) -> str:
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."


def _unknown(origin: str, name: str, known: Iterable[str], section: str | None = None) -> str:
    prefix = f"{section}." if section else ""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    meant = f" (did you mean {prefix}{close[0]}?)" if close else ""
    what = f"the keys of [{section}]" if section else "the sections"
    return f"{origin}: {prefix}{name or '(no key)'} is unknown{meant}; {what} are {', '.join(known)}."
