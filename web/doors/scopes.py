"""What a call wants of whoever asks: a scope of the token."""

from typing import Annotated, Any

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyCookie, HTTPBearer

from web.doors.gate import COOKIE
from web.problems import Refused

# They look at nothing, for the gate has: they tell readers of the description how to come in.
_bearer = HTTPBearer(auto_error=False, description="A token that `darkroom token create` has made.")
_cookie = APIKeyCookie(name=COOKIE, auto_error=False, description="The same token, as the page to log in sets it.")


def needs(scope: str) -> Any:
    """A dependency that lets in whoever has this scope."""

    # Not to a thread and back for each request: it waits for nothing.
    async def check(
        request: Request,
        _in_header: Annotated[object, Security(_bearer)] = None,
        _in_cookie: Annotated[object, Security(_cookie)] = None,
    ) -> None:
        if scope in request.state.scopes:
            return
        if request.state.scopes:
            raise Refused(403, f"This token does not allow it: it wants one with the scope {scope}.")
        raise Refused(
            401, "Here everybody needs a token: `darkroom token create` makes one.", **{"WWW-Authenticate": "Bearer"}
        )

    return Depends(check)
