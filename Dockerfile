# One image for every service. Build it where Docker is: docker compose build
# Pinned by tag; pin it by digest as well where you build, for tags can move: docker buildx imagetools inspect TAG
FROM python:3.12.11-slim-bookworm

RUN useradd --create-home --uid 1000 darkroom \
    && mkdir -p /data /models /out \
    && chown darkroom:darkroom /data /models /out
WORKDIR /app

# The versions of requirements.lock, and of them only what the extras want: all but the private Redis and what tests need.
COPY requirements.lock pyproject.toml README.md LICENSE ./
COPY settings.toml ./
COPY darkroom darkroom
COPY settings settings
COPY pictures pictures
COPY tasks tasks
COPY producer producer
COPY web web
COPY workers workers
RUN pip install --no-cache-dir --constraint requirements.lock ".[gpu,ocr,storage,stack,pictures,export,map,watch,web,s3,gs,http]"
COPY models/shapes-clip models/shapes-clip
COPY models/shapes-blip models/shapes-blip

USER darkroom
ENV DARKROOM_SETTINGS=/app/settings.toml \
    DARKROOM__DATA__DIR=/data \
    HF_HOME=/models \
    PYTHONUNBUFFERED=1
ENTRYPOINT ["python", "-m"]
CMD ["workers", "--help"]
