-- Tokens bound to a sender, refresh families, and what a grant carries from the request to the token. Locks: codes and tokens for a change of the catalogue.
ALTER TABLE codes
    ALTER COLUMN code_challenge DROP NOT NULL,
    ADD COLUMN dpop_jkt text,
    ADD COLUMN authorization_details text,
    ADD COLUMN claims text;

ALTER TABLE tokens
    ADD COLUMN family uuid,
    ADD COLUMN jkt text,
    ADD COLUMN x5t text,
    ADD COLUMN authorization_details text;

-- A family is what one login of a person gave one client; it ends as a whole, and with its session.
CREATE TABLE refresh_families (
    id                    uuid PRIMARY KEY,
    client_id             text NOT NULL,
    session_id            uuid NOT NULL REFERENCES sessions,
    person                text NOT NULL,
    institution           text NOT NULL,
    scope                 text NOT NULL,
    resource              text NOT NULL,
    claims                text,
    authorization_details text,
    jkt                   text,
    x5t                   text,
    code_hash             bytea,
    region                text NOT NULL,
    created_at            timestamptz NOT NULL,
    expires_at            timestamptz NOT NULL,
    ended_at              timestamptz,
    end_reason            text
);
CREATE INDEX refresh_families_session ON refresh_families (session_id) WHERE ended_at IS NULL;
CREATE INDEX refresh_families_code ON refresh_families (code_hash) WHERE code_hash IS NOT NULL;
CREATE INDEX refresh_families_expiry ON refresh_families (expires_at);
CREATE TRIGGER region_is_fixed BEFORE UPDATE OF region ON refresh_families FOR EACH ROW EXECUTE FUNCTION region_is_fixed();
CREATE TRIGGER region_is_storable BEFORE INSERT ON refresh_families FOR EACH ROW EXECUTE FUNCTION region_is_storable();

CREATE TABLE refresh_tokens (
    hash       bytea PRIMARY KEY,
    family     uuid NOT NULL REFERENCES refresh_families ON DELETE CASCADE,
    issued_at  timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at    timestamptz
);
CREATE INDEX refresh_tokens_family ON refresh_tokens (family);
CREATE INDEX refresh_tokens_expiry ON refresh_tokens (expires_at);
CREATE INDEX tokens_family ON tokens (family) WHERE family IS NOT NULL;

-- One active key for each algorithm.
ALTER TABLE signing_keys ADD COLUMN alg text NOT NULL DEFAULT 'ES256' CHECK (alg IN ('ES256', 'PS256', 'RS256'));
DROP INDEX signing_keys_one_active;
CREATE UNIQUE INDEX signing_keys_one_active ON signing_keys (alg) WHERE state = 'active';
