-- The tables of a store. Keys and records are bytes, as on sled: what is in them is for Keyferry to know.

CREATE TABLE keyferry_api_keys (key bytea PRIMARY KEY, record bytea NOT NULL);
CREATE TABLE keyferry_roots (key bytea PRIMARY KEY, record bytea NOT NULL);
CREATE TABLE keyferry_accounts (key bytea PRIMARY KEY, record bytea NOT NULL);
CREATE TABLE keyferry_account_order (key bytea PRIMARY KEY, record bytea NOT NULL);
CREATE TABLE keyferry_integrations (key bytea PRIMARY KEY, record bytea NOT NULL);
CREATE TABLE keyferry_idempotency (key bytea PRIMARY KEY, record bytea NOT NULL);
CREATE TABLE keyferry_idempotency_ends (key bytea PRIMARY KEY, record bytea NOT NULL);
CREATE TABLE keyferry_audit (key bytea PRIMARY KEY, record bytea NOT NULL);
CREATE TABLE keyferry_audit_heads (key bytea PRIMARY KEY, record bytea NOT NULL);
CREATE TABLE keyferry_webhooks (key bytea PRIMARY KEY, record bytea NOT NULL);
CREATE TABLE keyferry_outbox (key bytea PRIMARY KEY, record bytea NOT NULL);
CREATE TABLE keyferry_undelivered (key bytea PRIMARY KEY, record bytea NOT NULL);
CREATE TABLE keyferry_undelivered_ends (key bytea PRIMARY KEY, record bytea NOT NULL);
CREATE TABLE keyferry_sessions (key bytea PRIMARY KEY, record bytea NOT NULL);
CREATE TABLE keyferry_imports (key bytea PRIMARY KEY, record bytea NOT NULL);
CREATE TABLE keyferry_import_files (key bytea PRIMARY KEY, record bytea NOT NULL);
CREATE TABLE keyferry_import_places (key bytea PRIMARY KEY, record bytea NOT NULL);
CREATE TABLE keyferry_import_rows (key bytea PRIMARY KEY, record bytea NOT NULL);
CREATE TABLE keyferry_import_inputs (key bytea PRIMARY KEY, record bytea NOT NULL);
CREATE TABLE keyferry_import_former (key bytea PRIMARY KEY, record bytea NOT NULL);
CREATE TABLE keyferry_import_counts (key bytea PRIMARY KEY, record bytea NOT NULL);
CREATE TABLE keyferry_audit_pending (key bytea PRIMARY KEY, record bytea NOT NULL);
CREATE TABLE keyferry_claims (key bytea PRIMARY KEY, record bytea NOT NULL);
CREATE TABLE keyferry_plugin_files (key bytea PRIMARY KEY, record bytea NOT NULL);
CREATE TABLE keyferry_plugin_parts (key bytea PRIMARY KEY, record bytea NOT NULL);
CREATE TABLE keyferry_plugin_grants (key bytea PRIMARY KEY, record bytea NOT NULL);
CREATE TABLE keyferry_meta (key bytea PRIMARY KEY, record bytea NOT NULL);

-- A row for each batch of writes that was committed, for a while: who loses the connection during a commit finds out here.
CREATE TABLE keyferry_batches (key bytea PRIMARY KEY, record bytea NOT NULL);

-- Which processes have the store open, and until when.
CREATE TABLE keyferry_leases (
    name text PRIMARY KEY,
    owner bytea NOT NULL,
    holder text NOT NULL,
    number bigint NOT NULL,
    ends timestamptz NOT NULL
);
