"""Verifies signatures with independent implementations: oauthlib as an OAuth 1.0a server, botocore, PyJWT.

Reads one JSON object a line and answers each with one. `{"do": "keys"}` asks for fresh private keys; anything else is a
request as it came in, and the answer is `{"problem": null}` or what is wrong with it.
"""

import datetime
import hashlib
import json
import sys
import urllib.parse

import jwt
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from oauthlib import oauth1

MAX_SKEW = datetime.timedelta(minutes=5)
KEYS = {"rs256": rsa.generate_private_key(65537, 2048), "es256": ec.generate_private_key(ec.SECP256R1())}


def pem(key, form):
    nothing = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, form, nothing).decode()


def keys(_):
    pkcs8, traditional = serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL
    return {
        "rs256": [pem(KEYS["rs256"], pkcs8), pem(KEYS["rs256"], traditional)],
        "es256": [pem(KEYS["es256"], pkcs8)],
    }


class Consumers(oauth1.RequestValidator):
    """Has the one consumer and the one token of the request to verify."""

    nonces = set()
    allowed_signature_methods = ("HMAC-SHA256",)

    def __init__(self, known, realm):
        super().__init__()
        self.known, self.realm = known, realm

    # Providers make keys of any length and any characters.
    def check_client_key(self, client_key):
        return bool(client_key)

    check_access_token = check_client_key

    def check_nonce(self, nonce):
        return 16 <= len(nonce) <= 64 and nonce.isalnum()

    def validate_timestamp_and_nonce(self, client_key, timestamp, nonce, request, request_token=None, access_token=None):
        is_new = nonce not in self.nonces
        self.nonces.add(nonce)
        return is_new

    def validate_client_key(self, client_key, request):
        return client_key == self.known["consumer_key"]

    def validate_access_token(self, client_key, token, request):
        return token == self.known["token"]

    def validate_realms(self, client_key, token, request, uri=None, realms=None):
        realm = next((value for name, value in oauth_header(request) if name == "realm"), None)
        return realm == self.realm

    def get_client_secret(self, client_key, request):
        return self.known["consumer_secret"]

    def get_access_token_secret(self, client_key, token, request):
        return self.known["token_secret"]

    dummy_client = "dummy"
    dummy_access_token = "dummy"


def oauth_header(request):
    return oauth1.rfc5849.utils.parse_authorization_header(request.headers["Authorization"])


def check_oauth1(asked):
    validator = Consumers(asked["known"], asked["realm"])
    endpoint = oauth1.ResourceEndpoint(validator)
    headers = {name.title(): value for name, value in asked["headers"]}
    valid, request = endpoint.validate_protected_resource_request(
        asked["url"], asked["method"], asked["body"], headers, realms=None
    )
    if valid:
        return None
    return f"oauthlib refuses it: {request.validator_log if request else 'not readable'}"


def check_sigv4(asked):
    headers, known = dict(asked["headers"]), asked["known"]
    scheme, _, rest = headers["authorization"].partition(" ")
    if scheme != "AWS4-HMAC-SHA256":
        return f"the scheme is {scheme}"
    parts = dict(part.strip().split("=", 1) for part in rest.split(","))
    key_id, _day, region, service, _ = parts["Credential"].split("/")
    if [key_id, region, service] != [known["access_key_id"], known["region"], known["service"]]:
        return f"the credential is {parts['Credential']}"
    sent = datetime.datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
    if abs(datetime.datetime.now(datetime.timezone.utc) - sent) > MAX_SKEW:
        return f"the date is {headers['x-amz-date']}"
    signed = parts["SignedHeaders"].split(";")
    needed = {"host"} | {name for name in headers if name == "content-type" or name.startswith("x-amz-")}
    if not needed <= set(signed):
        return f"signed are {signed}, which lacks some of {sorted(needed)}"
    body = (asked["body"] or "").encode()
    if headers.get("x-amz-content-sha256", hashlib.sha256(body).hexdigest()) != hashlib.sha256(body).hexdigest():
        return "x-amz-content-sha256 is not the body's"
    if headers.get("x-amz-security-token") != known["session_token"]:
        return "x-amz-security-token is not the session's"
    request = AWSRequest(asked["method"], asked["url"], {name: headers[name] for name in signed}, body)
    request.context["timestamp"] = headers["x-amz-date"]
    credentials = Credentials(key_id, known["secret_access_key"], known["session_token"])
    signer = (S3SigV4Auth if service == "s3" else SigV4Auth)(credentials, service, region)
    canonical = signer.canonical_request(request)
    signature = signer.signature(signer.string_to_sign(request, canonical), request)
    return None if signature == parts["Signature"] else f"botocore signs this with another signature:\n{canonical}"


def check_jwt(asked):
    algorithm = asked["scheme"]
    token = dict(urllib.parse.parse_qsl(asked["body"]))["assertion"]
    try:
        claims = jwt.decode(
            token, KEYS[algorithm].public_key(), [algorithm.upper()], issuer="keyferry", audience="https://signer.example",
            options={"require": ["exp", "iat", "iss", "aud"]},
        )
    except jwt.InvalidTokenError as error:
        return f"PyJWT refuses it: {error!r}"
    if claims["note"] != asked["known"]["note"]:
        return f"the claims are {claims}"
    header = jwt.get_unverified_header(token)
    expected = {"alg": algorithm.upper(), "typ": "JWT", "kid": asked["known"]["kid"]}
    return None if header == expected else f"the header is {header}"


CHECKS = {"oauth1": check_oauth1, "sigv4": check_sigv4, "rs256": check_jwt, "es256": check_jwt}


def check(asked):
    try:
        return {"problem": CHECKS[asked["scheme"]](asked)}
    except (KeyError, ValueError, TypeError, IndexError) as error:
        return {"problem": f"it cannot be judged: {error!r}"}


for line in sys.stdin:
    asked = json.loads(line)
    print(json.dumps(keys(asked) if asked.get("do") == "keys" else check(asked)), flush=True)
