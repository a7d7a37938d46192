"""The session of the page: who the caller is, signing in with a key, and signing out.

Scripts cannot read the cookie, and browsers do not send it from other sites (RFC 6265bis: HttpOnly, SameSite=Strict).
"""

from anyio import to_thread
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from app.access.gate import COOKIE, address_of, forget_session
from app.access.keys import KeyScope
from app.access.ownership import Caller
from app.deps import CallerDep, ServiceDep
from app.errors import BODY_STATUSES, documented
from app.schemas import Document
from app.service import Service
from models.errors import InvalidRequest, KeyRefused, TooManyAttempts

router = APIRouter(prefix="/v1/session", tags=["session"])


class SignInForm(BaseModel):
    """The key to sign in with."""

    model_config = ConfigDict(json_schema_extra={"example": {"key": "showme_…"}})

    key: SecretStr = Field(description="A key that `showme keys create` has made.")


class SessionOut(Document):
    """Who the caller is to the service."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"keys_required": True, "key_id": "k_5d1c9a04be77", "name": "studio", "scope": "write"}
        }
    )

    keys_required: bool = Field(description="Whether the service answers callers with a key only.")
    key_id: str | None = Field(default=None, description="Id of the caller's key; null without one.")
    name: str | None = Field(default=None, description="Name of that key; null without one.")
    scope: KeyScope | None = Field(
        default=None, description="What the caller may do; null for nothing: sign in first."
    )


def _session_out(caller: Caller, service: Service) -> SessionOut:
    return SessionOut(
        keys_required=service.keys_required, key_id=caller.key_id, name=caller.name, scope=caller.scope
    )


@router.get("")
def get_session(caller: CallerDep, service: ServiceDep) -> SessionOut:
    """Get who the caller is: by its key, by its session, or nobody."""
    return _session_out(caller, service)


@router.post(
    "",
    status_code=201,
    responses=documented(KeyRefused, TooManyAttempts, InvalidRequest, http=BODY_STATUSES),
)
async def sign_in(form: SignInForm, request: Request, response: Response, service: ServiceDep) -> SessionOut:
    """Begin a session with a key. It ends after SHOWME_SESSION_SECONDS (seven days), with its key, or by signing out."""
    secret, address = form.key.get_secret_value().strip(), address_of(request.scope)
    key, token, seconds = await to_thread.run_sync(service.authenticator.begin_session, secret, address)
    is_encrypted = "https" in (request.url.scheme, request.headers.get("origin", "").partition(":")[0])
    response.set_cookie(
        COOKIE, token, max_age=int(seconds), httponly=True, samesite="strict", secure=is_encrypted
    )
    return _session_out(Caller(key.id, key.scope, key.name), service)


@router.delete("", status_code=204)
async def sign_out(request: Request, response: Response, service: ServiceDep) -> None:
    """End the session, if there is one."""
    if token := request.cookies.get(COOKIE):
        await to_thread.run_sync(service.access_keys.end_session, token)
    forget_session(response)
    response.headers["Clear-Site-Data"] = '"cache"'  # what the key could read
