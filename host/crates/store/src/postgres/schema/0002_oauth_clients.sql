-- The OAuth clients of organisations.

CREATE TABLE keyferry_oauth_clients (key bytea PRIMARY KEY, record bytea NOT NULL);
