"""Responses that are correct though Schemathesis' own checks would report them.

Each exception stands here, once, with its reason. All else is left to the checks that Schemathesis comes with.
"""

import os

import schemathesis
from schemathesis.core.parameters import ParameterLocation
from schemathesis.specs.openapi import checks as standard

MIGRATE = "PUT /api/v2/public/migrate-token"
STRUCTURE = "GET /api/v2/public/auth-structure/{slug}"
LIST = "GET /api/v2/public/application"
SHOW = "GET /api/v2/public/application/{slug}"
SAVE = "PUT /api/v2/public/linked-account/integration/save-key-credentials/{slug}"
CONNECT = "POST /api/v2/app/{slug}/save"
AUTH_CREDENTIAL = "/api/v2/public/linked-account/default-app/auth-credentials/{key}"
CREDENTIALS = "GET /api/v2/public/linked-account/{account}/integration/{slug}/credentials"
VERIFY = "POST /api/v2/public/linked-account/{account}/integration/{slug}/verify"
WEBHOOKS = ("POST /api/v2/public/webhook", "PUT /api/v2/public/webhook/{id}")
OAUTH_CLIENTS = ("PUT /api/v2/public/oauth-client/{slug}", "PUT /api/v2/public/oauth-client/{slug}/{name}")
IMPORT = "POST /api/v2/public/imports"
DISCONNECT = "DELETE /api/v2/public/linked-account/integration/{slug}"

# Codes of problems for a well-formed request: the error is not in its form.
CREDENTIAL_DID_NOT_VERIFY = {
    "credentials_rejected", "insufficient_scope", "wrong_tenant", "account_suspended", "provider_rate_limited",
    "provider_timeout", "provider_unreachable", "provider_error", "unexpected_answer", "not_verifiable",
}


def body(response):
    try:
        value = response.json()
    except ValueError:
        value = None
    return value if isinstance(value, dict) else {}


def verifies(case):
    """A request that has a provider verify a credential."""
    return case.operation.label in (MIGRATE, SAVE, CONNECT)


def header(case, name):
    return next((value for known, value in (case.headers or {}).items() if known.lower() == name), None)


def is_documented_500(response, case):
    """The documented product responds with 500 in three cases that are not errors of the server: a credential that does not verify,
    the structure of an app that is not there, and an own app without credentials."""
    message = body(response).get("message", "")
    if message == "Valid App ID and Auth credentials required in your_app":
        return True
    if verifies(case):
        return message.startswith("Failed to verify credentials: ")
    return case.operation.label == STRUCTURE and message.startswith("Schema not found for integration type: ")


def is_verdict(response, case):
    """A credential that is well formed and does not verify: 502 and 504 where the provider did not respond."""
    return verifies(case) and body(response).get("code") in CREDENTIAL_DID_NOT_VERIFY


def is_no_connect_flow(response):
    """An operation of the documented product that this server does not support, which it reports with 501."""
    return response.status_code == 501 and "no OAuth connect flow" in response.text


def does_not_fit_the_app(response, case):
    """Fields alone have one schema for all apps, because the app is in the path; each app defines its own fields."""
    return case.operation.label in (SAVE, CONNECT) and body(response).get("code") == "invalid_content"


def names_the_account_elsewhere(case):
    """OpenAPI cannot say "in the header, or in the query": where one of them is missing or wrong, the other one counts; and
    migrate-token takes it from the body, too."""
    by_own_app = case.operation.label.endswith(AUTH_CREDENTIAL)
    if case.operation.label not in (MIGRATE, SAVE, DISCONNECT, LIST, SHOW) and not by_own_app:
        return False
    in_body = case.body.get("linked_account_id") if isinstance(case.body, dict) else None
    return bool(header(case, "linked_account_id") or (case.query or {}).get("linked_account_id") or in_body)


def names_no_account(response, case):
    """Nor can it say that one of the two is needed."""
    answer = body(response)
    told = answer.get("detail", answer.get("message")) or ""
    return "linked_account_id is missing" in told or "linked_account_id header is required" in told


def contradicts_itself(response, case):
    """Nor that two headers exclude each other, nor that all places that name the linked account have to agree."""
    told = body(response).get("detail", body(response).get("message")) or ""
    if told.startswith("linked_account_id: ") and response.status_code == 400:
        return True
    return header(case, "if-match") is not None and header(case, "if-none-match") is not None


def is_content_in_200(response, case):
    """The documented product responds to invalid content with 200 and an `error`."""
    takes_content = verifies(case) or case.operation.label in OAUTH_CLIENTS
    return takes_content and response.status_code == 200 and set(body(response)) == {"error"}


def holds_what_no_one_sees(response, case):
    """Nor which characters are invisible, in words that every program reads alike."""
    told = body(response).get("detail") or body(response).get("error") or ""
    return "holds the invisible character" in told


def is_never_called(response, case):
    """A made-up URL is hardly ever one that may be called, nor a made-up name one of a header that may be set."""
    told = body(response).get("detail", body(response).get("message")) or ""
    return case.operation.label in WEBHOOKS and told.startswith(("webhook_url: ", "webhook_headers"))


def is_a_file(response, case):
    """No schema can describe the content of a file, or the rules of a mapping."""
    told = body(response).get("detail", body(response).get("message")) or ""
    return case.operation.label == IMPORT and response.status_code == 400 and (
        not told.startswith("the query is not valid") or "`map`: rule" in told
    )


def is_condition(response):
    """The target of the request does not match its headers, does not exist, or exists already: its form is valid all the same.
    The documented product responds with 400 for an account that a migration or a session does not find, of one that is to be made twice,
    and of a webhook that does not exist; and the number of webhooks has a limit."""
    if "this Idempotency-Key was used for another request" in response.text:
        return True
    if response.status_code == 400:
        conditions = (
            " does not exist in test environment", " already exists in the test environment", "Webhook not found",
            "delete one that is no longer needed",
        )
        message = body(response).get("message", "")
        beginnings = ("No linked account found for account id : ", "there is no OAuth client `")
        return message.endswith(conditions) or message.startswith(beginnings)
    return response.status_code in (404, 409, 412)


def is_no_tag(case):
    """A value that is not a valid tag matches none, so the server sends the full response."""
    had = header(case, "if-none-match")
    return case.method == "GET" and had is not None and not had.isascii()


@schemathesis.hook
def before_call(context, case, kwargs):
    """A made-up account does not exist, so nothing else of a migration would be checked: use an existing one."""
    if case.operation.label != MIGRATE or case.meta is None or case.meta.is_negative_at(ParameterLocation.HEADER):
        return
    if case.meta.phase.name != "examples":
        case.headers["linked_account_id"] = os.environ["KEYFERRY_ACCOUNT"]


@schemathesis.check
def no_server_error(ctx, response, case):
    if response.status_code < 500 or is_documented_500(response, case) or is_verdict(response, case):
        return
    if is_no_connect_flow(response):
        return
    raise AssertionError(f"{response.status_code}: {response.text[:500]}")


@schemathesis.check
def invalid_requests_are_refused(ctx, response, case):
    if is_content_in_200(response, case) or is_documented_500(response, case) or is_no_connect_flow(response):
        return
    meta = case.meta
    if is_no_tag(case) and response.status_code == 200:
        return
    if case.operation.label == IMPORT and meta is not None:
        # Invalid rows are reported in the ledger, and the file is accepted.
        if {location for location in ParameterLocation if meta.is_negative_at(location)} == {ParameterLocation.BODY}:
            return
    if meta is not None and names_the_account_elsewhere(case):
        wrong = {location for location in ParameterLocation if meta.is_negative_at(location)}
        if wrong and wrong <= {ParameterLocation.HEADER, ParameterLocation.QUERY}:
            return
    standard.negative_data_rejection(ctx, response, case)


@schemathesis.check
def valid_requests_are_accepted(ctx, response, case):
    if is_documented_500(response, case) or is_verdict(response, case) or is_condition(response):
        return
    if contradicts_itself(response, case) or names_no_account(response, case) or is_never_called(response, case):
        return
    if holds_what_no_one_sees(response, case):
        return
    if is_no_connect_flow(response) or does_not_fit_the_app(response, case) or is_a_file(response, case):
        return
    meta = case.meta
    # In the documented shape, too, content that fits its schema is not refused as content that does not.
    is_whole = case.operation.label == MIGRATE
    if is_whole and meta is not None and meta.generation.mode.is_positive and is_content_in_200(response, case):
        raise AssertionError(f"valid content was refused: {response.text[:500]}")
    standard.positive_data_acceptance(ctx, response, case)


@schemathesis.check
def allowed_methods_are_described(ctx, response, case):
    """An account's id can have slashes in it: what looks like a path below an account is, to other methods, an account."""
    if case.operation.label not in (CREDENTIALS, VERIFY):
        standard.allow_header_conformance(ctx, response, case)


@schemathesis.check
def missing_headers_are_noticed(ctx, response, case):
    if not names_the_account_elsewhere(case):
        standard.missing_required_header(ctx, response, case)
