"""Notion: tokens of internal and of public integrations.

Both are asked for the bot that they belong to (GET /v1/users/me), which needs no capability, unlike every other endpoint
on users: https://developers.notion.com/reference/get-self. Errors have a `code` and a `message`:
https://developers.notion.com/reference/status-codes.
"""

from keyferry import (
    AuthType, Credential, Grant, Method, describe, field, insufficient_scope, plugin, rejected, request, text_of,
    verified,
)

# The version in which the endpoint and its bot's workspace are as they are read here.
VERSION = "2022-06-28"


@plugin
class App:
    def describe(self):
        token_help = "notion.so/profile/integrations > your integration > Internal integration secret."
        return describe(
            slug="notion",
            name="Notion",
            about="Notes and wikis of a team",
            tags=["documents"],
            docs="https://developers.notion.com/docs/authorization",
            grants=[Grant("api.notion.com", [Method.GET], "/v1/users/me")],
            auth_types=[
                AuthType("keybased", "Internal integration", "The secret of an integration of one workspace.", [
                    field(
                        "access_token", "Integration secret", secret=True, required=True, hint="^(ntn|secret)_",
                        help=token_help, example="ntn_000000000000ExampleExample",
                    ),
                ]),
                AuthType("oauth2", "Public integration", "A token that a public integration got from a user.", [
                    field(
                        "access_token", "Access token", secret=True, required=True, hint="^(ntn|secret)_",
                        help="`access_token` in the answer of the token endpoint.", example="ntn_000000000000ExampleExample",
                    ),
                    # Kept, and never used here: it works once.
                    field("refresh_token", "Refresh token", secret=True, help="`refresh_token` in the same answer."),
                ]),
            ],
        )

    def verify(self, credential):
        token = Credential(credential).secret("access_token")
        headers = {"Notion-Version": VERSION}
        response = request(Method.GET, "https://api.notion.com/v1/users/me", bearer=token, headers=headers)
        if response.status == 200:
            me = response.json()
            bot = me.get("bot") if isinstance(me, dict) else None
            workspace = bot.get("workspace_name") if isinstance(bot, dict) else None
            # The bot's id stays the same for as long as the integration is connected to the workspace.
            return verified(
                account_id=text_of(me, "id"),
                display_name=workspace or text_of(me, "name"),
                config={"bot_name": text_of(me, "name")},
            )
        if response.status == 401:
            rejected(said(response), "access_token")
        if response.status == 403:
            insufficient_scope(said(response))
        response.unexpected()


def said(response):
    """`Notion says unauthorized: API token is invalid.`"""
    body = response.json_or_empty()
    words = [body[name] for name in ("code", "message") if isinstance(body.get(name), str)]
    return f"Notion says {': '.join(words)}" if words else "Notion refuses it without a reason"
