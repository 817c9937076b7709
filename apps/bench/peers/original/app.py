"""fastapi-offline-sync behind the benchmark's tokens: HS256, checked with the standard library.

Environment: MONGODB_URI, MONGODB_DATABASE, JWT_SECRET. Everything else as the package sets it.
"""

import base64
import hashlib
import hmac
import json
import os
import time

from fastapi import FastAPI, Header, HTTPException
from fastapi_offline_sync import SyncConfig, SyncRouter

SECRET = os.environ["JWT_SECRET"].encode()


def _decode(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _user(token: str) -> dict[str, str]:
    try:
        header, payload, signature = token.split(".")
        expected = hmac.new(SECRET, f"{header}.{payload}".encode(), hashlib.sha256).digest()
        claims = json.loads(_decode(payload))
        if json.loads(_decode(header)).get("alg") != "HS256":
            raise ValueError("alg")
        if not hmac.compare_digest(expected, _decode(signature)) or claims["exp"] < time.time():
            raise ValueError("signature")
        return {"user_id": claims["user_id"], "business_id": claims["business_id"]}
    except (ValueError, KeyError) as error:
        raise HTTPException(status_code=401, detail="invalid token") from error


async def verify_jwt(authorization: str | None = Header(default=None)) -> dict[str, str]:
    if not authorization or not authorization.startswith("Bearer "):
        raise HTTPException(status_code=401, detail="missing token")
    return _user(authorization.removeprefix("Bearer "))


async def socket_identity(token: str | None = None, scope_id: str | None = None) -> dict[str, str]:
    return _user(token or "")


router = SyncRouter(
    SyncConfig(
        mongodb_uri=os.environ["MONGODB_URI"],
        database_name=os.environ["MONGODB_DATABASE"],
        collections=("notes",),
        actor_id_field="user_id",
        scope_id_field="business_id",
        jwt_dependency=verify_jwt,
        websocket_identity_resolver=socket_identity,
    )
)
app = FastAPI()
app.include_router(router)


# FastAPI no longer runs the handlers that a router registers for its start.
@app.get("/ready")
async def ready() -> dict[str, bool]:
    await router.service.initialize()
    return {"ready": True}
