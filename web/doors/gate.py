"""What every request passes, before anything else sees it."""

from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from settings import Settings
from settings.errors import DarkroomError
from web.doors.hosts import SAFE_METHODS, is_foreign, is_open, is_own_host
from web.doors.limits import Rate, limited, too_large
from web.doors.tokens import INCLUDED, Tokens
from web.problems import Refused, problem

COOKIE = "darkroom_token"
# A wrong token counts like so many requests: nobody guesses one by trying.
WRONG_TOKEN_COST = 20
COMPUTES = ("/api/v1/search", "/api/v1/duplicates", "/api/v1/map")

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "font-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Gate:
    """Checks host, origin, token, size and rate of a request, and gives every answer the headers that browsers obey."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._tokens = Tokens(settings)
        self._rate = Rate(settings.web.requests)
        self._everybody = INCLUDED["admin"] if is_open(settings) else set[str]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            receive = self._checked(scope, receive)
        except Refused as refused:
            await problem(refused.status_code, refused.detail, refused.headers)(scope, receive, send_safely)
        except DarkroomError as error:
            await problem(503, str(error))(scope, receive, send_safely)
        else:
            await self._app(scope, receive, send_safely)

    def _checked(self, scope: Scope, receive: Receive) -> Receive:
        """The body of a request that may come in; raises Refused for any other."""
        headers, method, path = Headers(scope=scope), scope["method"], scope["path"]
        if not is_own_host(headers.get("host", ""), self._settings):
            raise Refused(421, "This server is not known by that name: web.hosts lists the names that it has.")
        if is_foreign(method, path, headers):
            raise Refused(403, "A page of another site may not ask this server.")
        client = scope["client"][0] if scope.get("client") else "unknown"
        scope.setdefault("state", {})["scopes"] = self._scopes(headers, client)
        if method not in SAFE_METHODS or path.startswith(COMPUTES):
            self._rate.take(client)
        most = self._settings.web.upload_bytes
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > most:
            raise too_large(most)
        return limited(receive, most)

    def _scopes(self, headers: Headers, client: str) -> set[str]:
        """What whoever asks may do, by the token in a header or in the cookie of a browser."""
        kind, _, secret = headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer":
            secret = cookie_of(headers.get("cookie", ""))
        if not secret or self._everybody:
            return self._everybody
        scopes = self._tokens.scopes_of(secret.strip())
        if not scopes:
            self._rate.take(client, WRONG_TOKEN_COST)
        return scopes


def cookie_of(text: str) -> str:
    """The token in the cookies of a request."""
    try:
        found = SimpleCookie(text).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""
