"""What a Keyferry plugin in Python is written with.

A secret is a handle: it can be placed in a request, and never read. What is the provider's fault (no response, a redirect,
429, 5xx, a response that is not JSON) becomes the right failure here, so that a plugin says `rejected` only where the
provider itself said so.
"""

import json
from typing import Any, NoReturn, Optional, Union

from componentize_py_types import Err
from wit_world.exports import app
from wit_world.exports.app import AuthType, Description, Field, FieldKind, Grant, Supplier, UnreachableKind, Verified
from wit_world.imports import clock, http, log
from wit_world.imports.http import Method
from wit_world.imports.secrets import Secret

__all__ = [
    "Response", "AuthType", "Credential", "Description", "Field", "Grant", "Method", "Verified", "account_suspended",
    "describe", "field", "insufficient_scope", "plugin", "rejected", "request", "text_of", "unexpected", "verified",
    "wrong_tenant",
]

Value = Union[str, Secret, list]


# Frames of a traceback that are logged: a call may log 64 lines.
_MOST_FRAMES = 20


def plugin(app_class: type) -> type:
    """What the class `App` is decorated with: the log then has the traceback of a defect in it."""
    app_class.describe = _logged(app_class.describe)
    app_class.verify = _logged(app_class.verify)
    return app_class


def _logged(method: Any) -> Any:
    def call(self, *arguments):
        try:
            return method(self, *arguments)
        except Err:
            raise
        except Exception as error:
            # A defect ends the call: its words would be lost.
            for line in _traceback(error):
                log.write(log.Level.ERROR, line)
            raise

    return call


def _traceback(error: Exception) -> list:
    """A traceback in lines. The module `traceback` reads source files, which a component does not have."""
    frames, frame = [], error.__traceback__.tb_next
    while frame:
        code = frame.tb_frame.f_code
        frames.append(f'  File "{code.co_filename.rsplit("/", 1)[-1]}", line {frame.tb_lineno}, in {code.co_name}')
        frame = frame.tb_next
    return ["Traceback (most recent call last):", *frames[-_MOST_FRAMES:], f"{type(error).__name__}: {error}"]


def _fail(kind: Any, detail: str) -> NoReturn:
    raise Err(app.Failure(kind, detail))


def rejected(detail: str, *fields: str) -> NoReturn:
    """The provider says that the credential is not valid. `fields` are those to look at."""
    _fail(app.FailureKind_Rejected(list(fields)), detail)


def insufficient_scope(detail: str, *scopes: str) -> NoReturn:
    """The credential is live, but lacks these permissions."""
    _fail(app.FailureKind_InsufficientScope(list(scopes)), detail)


def wrong_tenant(detail: str, *fields: str) -> NoReturn:
    """The credential belongs to another tenant. `fields` are those to look at."""
    _fail(app.FailureKind_WrongTenant(list(fields)), detail)


def account_suspended(detail: str) -> NoReturn:
    """The account behind it is closed, frozen or locked."""
    _fail(app.FailureKind_AccountSuspended(), detail)


def unexpected(detail: str) -> NoReturn:
    """The provider said what this plugin does not understand."""
    _fail(app.FailureKind_UnexpectedAnswer(), detail)


def field(name: str, label: str, **options: Any) -> Field:
    """A field of a credential. `options` may have whatever the contract's `field` has."""
    given = dict(
        kind=FieldKind.TEXT, secret=False, required=False, default=None, options=[], pattern=None, min_length=None,
        max_length=None, placeholder=None, help=None, example=None, hint=None, supplier=Supplier.CALLER,
    )
    given.update(options)
    return Field(name=name, label=label, **given)


def describe(
    slug: str, name: str, docs: str, grants: list, auth_types: list, about: Optional[str] = None,
    tags: Optional[list] = None, icon: Optional[str] = None,
) -> Description:
    """What the plugin is and what it asks for. `about` and `tags` are for lists of apps."""
    return Description(
        slug=slug, name=name, about=about, tags=tags or [], icon=icon, docs=docs, grants=grants, reads_secrets=False,
        auth_types=auth_types,
    )


def verified(
    account_id: Optional[str] = None, display_name: Optional[str] = None, scopes: Optional[list] = None,
    expires_at: Optional[int] = None, warnings: Optional[list] = None, config: Optional[dict] = None,
) -> Verified:
    """A credential that works. `expires_at` is in milliseconds since 1970."""
    return Verified(
        account_id=account_id, display_name=display_name, scopes=scopes or [], expires_at=expires_at,
        warnings=warnings or [], config=list((config or {}).items()),
    )


class Credential:
    """A credential to verify."""

    def __init__(self, credential: app.Credential):
        self.auth_type = credential.auth_type
        self._fields = {field.name: field.value.value for field in credential.fields}

    def secret(self, name: str) -> Optional[Secret]:
        """The handle of a secret field."""
        value = self._fields.get(name)
        return value.handle if value else None

    def hint(self, name: str) -> Optional[str]:
        """What the field's `hint` matched."""
        value = self._fields.get(name)
        return value.hint if value else None

    def text(self, name: str) -> Optional[str]:
        """The text of a plain field."""
        return self._fields.get(name)

    def future_ms(self, name: str) -> Optional[int]:
        """A time in seconds or milliseconds since 1970, in milliseconds, if it lies in the future."""
        try:
            given = float(self.text(name) or "")
        except ValueError:
            return None
        ms = int(given * 1000 if given < 1e11 else given)
        return ms if ms > clock.now() else None


class Response:
    """What the provider said. The values of secrets have been replaced by `***`."""

    def __init__(self, origin: str, response: http.Response):
        self._response = response
        self.status = response.status
        self.told = f"{origin} answered {self.status}"
        if self.status == 429:
            _fail(app.FailureKind_RateLimited(self._retry_after()), self.told)
        if self.status >= 500:
            _fail(app.FailureKind_ProviderError(self.status), self.told)
        if 300 <= self.status < 400:
            unexpected(f"{self.told}, a redirect")

    def _retry_after(self) -> Optional[int]:
        whole, _, fraction = (self.header("retry-after") or "").strip().partition(".")
        if not (whole.isdecimal() and len(whole) < 10 and (fraction or "0").isdecimal()):
            return None
        return int(whole) + (fraction.strip("0") != "")

    def header(self, name: str) -> Optional[str]:
        """The first header of a name, in lower case."""
        return next((value for header, value in self._response.headers if header == name), None)

    def json(self) -> Any:
        """The body as JSON."""
        try:
            return json.loads(self._response.body.decode("utf-8"))
        except ValueError:
            unexpected(f"{self.told} with what is not JSON")

    def json_or_empty(self) -> dict:
        """The body as a JSON object, or an empty one: for a response whose status already says enough."""
        try:
            body = json.loads(self._response.body.decode("utf-8"))
        except ValueError:
            return {}
        return body if isinstance(body, dict) else {}

    def unexpected(self) -> NoReturn:
        """The failure for a response that the plugin has no case for."""
        unexpected(f"{self.told}, which this plugin does not understand")


def text_of(body: Any, name: str) -> str:
    """A string or number in a response, as text. Without it, the response is one that the plugin does not understand."""
    value = body.get(name) if isinstance(body, dict) else None
    if isinstance(value, str) and value:
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    unexpected(f"the answer has no {name}")


def _parts(value: Value) -> list:
    values = value if isinstance(value, list) else [value]
    return [http.Part_Text(one) if isinstance(one, str) else http.Part_Secret(one) for one in values]


def request(
    method: Method, url: str, bearer: Optional[Value] = None, basic: Optional[tuple] = None,
    headers: Optional[dict] = None, query: Optional[dict] = None, form: Optional[dict] = None,
) -> Response:
    """Sends a request and waits for the response. A value is a string, a secret's handle, or a list of both.

    `url` is `https://host/path`; what comes from a caller belongs in `query`.
    """
    scheme, _, rest = url.partition("://")
    host, _, path = rest.partition("/")
    origin = f"{scheme}://{host}"
    pairs = lambda values: [http.Pair(name, _parts(value)) for name, value in (values or {}).items()]
    auth = None
    if bearer is not None:
        auth = http.Auth_Bearer(_parts(bearer))
    if basic is not None:
        auth = http.Auth_Basic(http.Basic(_parts(basic[0]), _parts(basic[1])))
    body = http.Body_Empty() if form is None else http.Body_Form(pairs(form))
    segments = [_parts(segment) for segment in path.split("/")] if path else []
    try:
        response = http.send(http.Request(method, origin, segments, pairs(query), pairs(headers), auth, body, []))
    except Err as error:
        _unsent(error.value)
    return Response(origin, response)


_UNREACHABLE = {
    http.ErrorKind_Dns: UnreachableKind.DNS,
    http.ErrorKind_Refused: UnreachableKind.REFUSED,
    http.ErrorKind_Tls: UnreachableKind.TLS,
    http.ErrorKind_Timeout: UnreachableKind.TIMEOUT,
    http.ErrorKind_Denied: UnreachableKind.DENIED,
}


def _unsent(error: http.Error) -> NoReturn:
    if isinstance(error.kind, http.ErrorKind_TooLarge):
        unexpected(error.message)
    kind = _UNREACHABLE.get(type(error.kind), UnreachableKind.TRANSPORT)
    _fail(app.FailureKind_Unreachable(kind), error.message)
