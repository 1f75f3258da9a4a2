-- Requests that clients push before a browser comes (RFC 9126), and what a request may ask for beyond scopes. Locks: creates a table; three tables for a
-- change of the catalogue.
CREATE TABLE pushed_requests (
    hash       bytea PRIMARY KEY,
    client_id  text NOT NULL REFERENCES clients,
    parameters text NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at    timestamptz
);
CREATE INDEX pushed_requests_expiry ON pushed_requests (expires_at);
ALTER TABLE authorization_requests
    ALTER COLUMN code_challenge DROP NOT NULL,
    ADD COLUMN response_mode text NOT NULL DEFAULT 'query',
    ADD COLUMN claims text,
    ADD COLUMN authorization_details text,
    ADD COLUMN dpop_jkt text,
    ADD COLUMN pushed bytea;
ALTER TABLE codes
    ALTER COLUMN code_challenge DROP NOT NULL,
    ADD COLUMN IF NOT EXISTS dpop_jkt text,
    ADD COLUMN IF NOT EXISTS authorization_details text,
    ADD COLUMN IF NOT EXISTS claims text;
