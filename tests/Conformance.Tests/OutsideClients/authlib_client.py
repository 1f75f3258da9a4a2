"""A relying party that is the Debian package python3-authlib: address, code, ID token and UserInfo are the library's own."""
import json
import sys

import requests
from authlib.integrations.requests_client import OAuth2Session
from authlib.jose import JsonWebKey, jwt
from authlib.oidc.core import CodeIDToken

settings = json.load(open(sys.argv[1], encoding="utf-8"))
metadata = requests.get(settings["issuer"] + "/.well-known/openid-configuration", timeout=30).json()
session = OAuth2Session(
    settings["clientId"], settings["secret"], scope=settings["scope"], redirect_uri=settings["redirect"], token_endpoint_auth_method="client_secret_basic")
nonce = "n-authlib-1"
address, state = session.create_authorization_url(metadata["authorization_endpoint"], nonce=nonce)
print(address, flush=True)
callback = sys.stdin.readline().strip()
token = session.fetch_token(metadata["token_endpoint"], authorization_response=callback, state=state)
keys = JsonWebKey.import_key_set(requests.get(metadata["jwks_uri"], timeout=30).json())
claims = jwt.decode(token["id_token"], keys, claims_cls=CodeIDToken, claims_options={
    "iss": {"essential": True, "value": settings["issuer"]}, "aud": {"essential": True, "value": settings["clientId"]}}, claims_params={"nonce": nonce, "client_id": settings["clientId"]})
claims.validate()
user = session.get(metadata["userinfo_endpoint"]).json()
print(json.dumps({"claims": dict(claims), "user": user, "type": token["token_type"]}), flush=True)
