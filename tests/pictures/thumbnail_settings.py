"""Settings with a data directory and a place for small pictures of their own."""

from pathlib import Path

from settings import Settings, load_settings


def settings_in(folder: Path, **thumbnails: object) -> Settings:
    """The settings of this process, with its data in `folder` and these keys of [thumbnails]."""
    settings = load_settings()
    return settings.model_copy(
        update={
            "data": settings.data.model_copy(update={"dir": folder}),
            "thumbnails": settings.thumbnails.model_copy(update=thumbnails),
        }
    )
