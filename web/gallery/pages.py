"""The pages: each a small document whose script asks the interface for the rest."""

from functools import cache
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import Response

from web.doors.gate import COOKIE, POLICY
from web.doors.hosts import is_open
from web.doors.tokens import Tokens
from web.problems import Refused
from web.state import Web

router = APIRouter(default_response_class=HTMLResponse)
# The page of the description brings drawings in its style sheet, as data: addresses.
DOCS_POLICY = POLICY.replace("img-src 'self' blob:", "img-src 'self' data:").replace(
    "style-src 'self'", "style-src 'self' 'unsafe-inline'"
)
YEAR_SECONDS = 365 * 24 * 3600
PAGES = {"/": ("gallery", "Pictures"), "/jobs": ("jobs", "Jobs"), "/duplicates": ("duplicates", "Duplicates")}
PAGES |= {"/collection": ("collection", "Collection"), "/map": ("map", "Map"), "/game": ("game", "Which picture?")}


@cache
def _environment() -> Environment:
    return Environment(loader=PackageLoader("web.gallery"), autoescape=True, undefined=StrictUndefined)


def render(name: str, **values: Any) -> str:
    """The page that a template makes of these values, none of which becomes markup."""
    return _environment().get_template(f"{name}.html").render(values)


def _page(request: Request, state: Web) -> Response:
    name, title = PAGES[request.url.path]
    if "read" not in request.state.scopes:
        way = urlencode({"next": request.url.path + (f"?{request.url.query}" if request.url.query else "")})
        return RedirectResponse(f"/login?{way}", status_code=303)
    values = {
        "title": title,
        "page": name,
        "may_ingest": "ingest" in request.state.scopes,
        "may_leave": not is_open(state.settings),
    }
    return HTMLResponse(render(name, **values), headers={"Cache-Control": "no-cache"})


for path in PAGES:
    router.add_api_route(path, _page, methods=["GET"])


@router.get("/docs")
def docs() -> HTMLResponse:
    """The description of the interface, to read and to try."""
    return HTMLResponse(render("docs"), headers={"Content-Security-Policy": DOCS_POLICY})


@router.get("/login")
def login(next: str = "/") -> HTMLResponse:
    """The page that asks for a token."""
    return HTMLResponse(render("login", next=_own(next), wrong=False))


@router.post("/login")
def enter(request: Request, state: Web, token: Annotated[str, Form()], next: Annotated[str, Form()] = "/") -> Response:
    """Keep the token in a cookie that only this server gets, and only from its own pages."""
    request.app.state.logins.take(request.client.host if request.client else "unknown")
    if not Tokens(state.settings).scopes_of(token.strip()):
        return HTMLResponse(render("login", next=_own(next), wrong=True), status_code=401)
    response = RedirectResponse(_own(next), status_code=303)
    response.set_cookie(
        COOKIE,
        token.strip(),
        max_age=YEAR_SECONDS,
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return response


@router.post("/logout")
def leave() -> Response:
    """Forget the token in this browser."""
    response = RedirectResponse("/login", status_code=303)
    response.delete_cookie(COOKIE)
    return response


def _own(path: str) -> str:
    """A path of this server; `//host` and `https:` would lead elsewhere."""
    is_own = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    if not is_own:
        raise Refused(400, "The page to go to must be one of this server.")
    return path
