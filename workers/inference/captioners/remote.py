"""Captions by a model behind a URL that speaks the OpenAI API: vLLM, Ollama, llama.cpp, LM Studio, or a service."""

import base64
import io
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import httpx
from PIL import Image
from tenacity import Retrying, before_sleep_log, retry_if_exception, stop_after_delay, wait_random_exponential

from pictures.picture import LoadError, Pixels
from pictures.preprocessing import WholeInput
from settings.errors import DarkroomError, ServiceMissing, WrongUse
from workers.inference.captioners.contract import EDGE, QUESTION
from workers.inference.parallel import ParallelBatches
from workers.inference.probe.fidelity import Fidelity

if TYPE_CHECKING:
    from settings import Settings

log = logging.getLogger("darkroom.gpu")

# Of the seconds after which a batch counts as hanging: one request, and all tries of one picture.
REQUEST_SHARE, TRIES_SHARE = 0.8, 0.25
LONGEST_WAIT_SECONDS = 10.0
JPEG_QUALITY = 90
# What a server says while it is busy or begins; it may answer the next time.
_BUSY = {408, 409, 425, 429, 500, 502, 503, 504}


class RemoteCaptioner:
    """The model `models.blip` behind `models.caption_url`, asked about `models.caption_requests` pictures at a time.

    Only this worker's own settings hold the key of the service, and no message names it. Raises ServiceMissing or
    WrongUse, with a sentence of what to do, unless the service is there and knows the model.
    """

    precision, fidelity = "", Fidelity()

    def __init__(self, settings: "Settings") -> None:
        models = settings.models
        self.model_input = WholeInput(EDGE)
        self.notes: list[str] = []
        self._model, self._url = models.blip, models.caption_url.rstrip("/")
        self._question = models.caption_prompt or QUESTION
        self._max_tokens = models.max_caption_tokens
        self._tries_seconds = TRIES_SHARE * settings.gpu.hang_seconds
        self._parallel = ParallelBatches(models.caption_requests)
        key = models.caption_key
        headers = {"Authorization": f"Bearer {key.get_secret_value()}"} if key else {}
        # No redirects: they would take the key elsewhere.
        self._client = httpx.Client(headers=headers, timeout=REQUEST_SHARE * settings.gpu.hang_seconds)
        self._require()

    def caption(self, pictures: Sequence[Pixels]) -> list[str]:
        """The captions of uint8 RGB pictures of any size, in their order.

        Raises LoadError for a picture that the service refuses, ServiceMissing where it does not answer in time.
        """
        return self._parallel(lambda part: [self._caption(each) for each in part], pictures)

    def _require(self) -> None:
        """Ask for the models of the service."""
        try:
            answer = self._client.get(f"{self._url}/models")
            listed = answer.raise_for_status().json()["data"]
            names = [str(each["id"]) for each in listed]
        except httpx.HTTPStatusError as error:
            raise self._refused(error.response) from error
        except httpx.HTTPError as error:
            raise ServiceMissing(
                f"{self._where} does not answer ({_reason(error)}): start it, or correct it."
            ) from error
        except (ValueError, KeyError, TypeError) as error:
            raise WrongUse(f"{self._where} does not speak the OpenAI API: it usually ends in /v1.") from error
        if self._model not in names:
            known = ", ".join(names[:5]) or "none"
            raise WrongUse(f"{self._where} has no model {self._model!r} (models.blip); it has {known}.")

    def _caption(self, picture: Pixels) -> str:
        retrying = Retrying(
            retry=retry_if_exception(_may_pass),
            wait=wait_random_exponential(0.5, max=LONGEST_WAIT_SECONDS),
            stop=stop_after_delay(self._tries_seconds),
            before_sleep=before_sleep_log(log, logging.WARNING),
            reraise=True,
        )
        try:
            answer = retrying(self._ask, self._request(picture))
            text = answer.json()["choices"][0]["message"]["content"]
        except httpx.HTTPStatusError as error:
            if error.response.status_code in (400, 413, 422):
                raise LoadError("model", f"the captioner refuses it ({_told(error.response)})") from error
            raise self._refused(error.response) from error
        except httpx.HTTPError as error:
            raise ServiceMissing(f"{self._where} does not answer ({_reason(error)}).") from error
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise LoadError("model", "the captioner's answer holds no text") from error
        if not isinstance(text, str) or not text.strip():
            raise LoadError("model", "the captioner's answer holds no text")
        return " ".join(text.split())

    def _request(self, picture: Pixels) -> dict[str, Any]:
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "JPEG", quality=JPEG_QUALITY)
        url = f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"
        content = [{"type": "text", "text": self._question}, {"type": "image_url", "image_url": {"url": url}}]
        return {
            "model": self._model,
            "messages": [{"role": "user", "content": content}],
            "max_tokens": self._max_tokens,
            "temperature": 0,
        }

    def _ask(self, request: dict[str, Any]) -> httpx.Response:
        return self._client.post(f"{self._url}/chat/completions", json=request).raise_for_status()

    @property
    def _where(self) -> str:
        return f"The captioner at {self._url} (models.caption_url)"

    def _refused(self, answer: httpx.Response) -> DarkroomError:
        if answer.status_code in (401, 403):
            return WrongUse(f"{self._where} wants a key, or another one: set models.caption_key for this worker.")
        if answer.status_code == 404:
            return WrongUse(f"{self._where} knows no such address or model (404): it usually ends in /v1.")
        return ServiceMissing(f"{self._where} answers {_told(answer)}.")


def _may_pass(error: BaseException) -> bool:
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code in _BUSY
    # A request that took too long would take as long again.
    return isinstance(error, httpx.TransportError) and not isinstance(error, httpx.ReadTimeout)


def _reason(error: Exception) -> str:
    return str(error).strip().rstrip(".") or type(error).__name__


def _told(answer: httpx.Response) -> str:
    return f"{answer.status_code}: {' '.join(answer.text.split())[:200]}" if answer.text else str(answer.status_code)
