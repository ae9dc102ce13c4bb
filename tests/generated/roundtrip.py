"""Stores and reads a credential with a client that was generated from the server's own description. Prints the results to the
standard output as one JSON object."""

import json
from os import environ

from keyferry_client import AuthenticatedClient
from keyferry_client.api.credentials import migrate_token_for_linked_account as migrate_token
from keyferry_client.api.linked_accounts import (
    create_linked_account,
    delete_linked_account,
    get_linked_account,
    list_linked_accounts,
)
from keyferry_client.models import (
    AccountBody,
    AccountCreated,
    AccountDeleted,
    AccountPage,
    CredentialHubspotKeybased,
    CredentialHubspotOauth2,
    Error,
    HubSpot,
    HubSpotOAuth,
    HubSpotPrivateAppToken,
    LinkedAccount,
    MigrateTokenForLinkedAccountIfNoneMatch,
    Problem,
    TokenMigrated,
    UserFields,
)



def client_that_accepts(media_type: str) -> AuthenticatedClient:
    return AuthenticatedClient(
        base_url=environ["KEYFERRY_URL"],
        token=environ["KEYFERRY_API_KEY"],
        prefix="",
        auth_header_name="x-api-key",
        headers={"accept": media_type},
    )


client = client_that_accepts("application/json")
account = "python/1"

fields = UserFields()
fields["plan"] = "gold"
made = create_linked_account.sync(client=client, body=AccountBody(account_id=account, name="Ada", udf=fields))
assert isinstance(made, AccountCreated), made

credential = CredentialHubspotOauth2(access_token=environ["KEYFERRY_TOKEN"], refresh_token="r")
migrated = migrate_token.sync(
    client=client,
    linked_account_id_header=account,
    if_none_match=MigrateTokenForLinkedAccountIfNoneMatch.VALUE_0,
    body=HubSpot(slug="hubspot", auth_object=HubSpotOAuth(oauth2=credential)),
)
assert isinstance(migrated, TokenMigrated), migrated

shown = get_linked_account.sync(account, client=client)
assert isinstance(shown, LinkedAccount), shown
listed = list_linked_accounts.sync(client=client, search="python")
assert isinstance(listed, AccountPage), listed

# A failure in the documented shape.
unknown_key = HubSpotPrivateAppToken(keybased=CredentialHubspotKeybased(access_token="pat-na1-nobody-knows-it"))
refused = migrate_token.sync_detailed(
    client=client, linked_account_id_header=account, body=HubSpot(slug="hubspot", auth_object=unknown_key)
)
assert isinstance(refused.parsed, Error), refused
# A failure as a problem: a status that has only this form.
missing = migrate_token.sync_detailed(
    client=client_that_accepts("application/problem+json"),
    linked_account_id_header="nobody",
    body=HubSpot(slug="hubspot", auth_object=unknown_key),
)
assert isinstance(missing.parsed, Problem), missing

deleted = delete_linked_account.sync(account, client=client)
assert isinstance(deleted, AccountDeleted), deleted

print(
    json.dumps(
        {
            "made": made.account_id,
            "migrated": migrated.success,
            "integration": shown.integrations[0].type_,
            "plan": next(field.key_value for field in shown.udf if field.key_name == "plan"),
            "listed": [one.account_id for one in listed.docs],
            "refused": [refused.status_code, refused.parsed.message],
            "missing": [missing.status_code, missing.parsed.code],
            "deleted": deleted.message,
        }
    )
)
