// Airtable: personal access tokens and OAuth tokens.
//
// Both are asked whose they are (GET /v0/meta/whoami), which needs no scope and changes nothing. An OAuth token's scopes are
// told there, too: https://airtable.com/developers/web/api/get-user-id-scopes.

import { field, insufficientScope, plugin, rejected, request, textOf } from './keyferry.js';

export const app = plugin({
  describe: () => ({
    slug: 'airtable',
    name: 'Airtable',
    about: 'Databases that look like spreadsheets',
    tags: ['database'],
    docs: 'https://airtable.com/developers/web/guides/personal-access-tokens',
    grants: [{ host: 'api.airtable.com', methods: ['get'], pathPrefix: '/v0/meta/whoami' }],
    authTypes: [
      {
        name: 'keybased',
        label: 'Personal access token',
        help: 'A token that a person or a service account has made, with scopes and bases of its own.',
        fields: [
          field('access_token', 'Personal access token', {
            secret: true,
            required: true,
            hint: '^pat',
            help: 'airtable.com/create/tokens > your token. It is shown once, when it is made.',
            example: 'patExampleExample.0000000000000000',
          }),
        ],
      },
      {
        name: 'oauth2',
        label: 'OAuth',
        help: 'Tokens that an OAuth integration got when a user allowed it.',
        fields: [
          field('access_token', 'Access token', {
            secret: true,
            required: true,
            help: '`access_token` in the answer of the token endpoint. It lasts 60 minutes.',
            example: 'oaaExampleExample.v1.example',
          }),
          // Kept, and never used here: it works once.
          field('refresh_token', 'Refresh token', { secret: true, help: '`refresh_token` in the same answer.' }),
          field('expires_at', 'Expires at', {
            kind: 'number',
            help: 'When the access token ends, as Unix time in seconds or milliseconds.',
          }),
        ],
      },
    ],
  }),

  verify(credential) {
    const token = credential.secret('access_token');
    const response = request('get', 'https://api.airtable.com/v0/meta/whoami', { bearer: token });
    switch (response.status) {
      case 200: {
        const me = response.json();
        return {
          accountId: textOf(me, 'id'),
          displayName: typeof me.email === 'string' ? me.email : undefined,
          scopes: Array.isArray(me.scopes) ? me.scopes.map(String) : [],
          expiresAt: credential.futureMs('expires_at'),
        };
      }
      case 401:
        throw rejected(said(response), 'access_token');
      case 403:
        throw insufficientScope(said(response));
      default:
        throw response.unexpected();
    }
  },
});

/** `Airtable says AUTHENTICATION_REQUIRED: Authentication required`. */
function said(response) {
  const { error } = response.jsonOrEmpty();
  const words = [error?.type ?? error, error?.message].filter((word) => typeof word === 'string');
  return words.length > 0 ? `Airtable says ${words.join(': ')}` : 'Airtable refuses it without a reason';
}
