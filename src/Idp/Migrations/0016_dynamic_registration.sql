-- Dynamic registration (RFC 7591, RFC 7592): what an operator lets be registered, and who may change what was. Locks: creates tables only.
CREATE TABLE registration_grants (
    id          uuid PRIMARY KEY,
    token_hash  bytea NOT NULL UNIQUE,
    hosts       text[] NOT NULL,
    profile     text NOT NULL CHECK (profile IN ('standard', 'oidc-compat', 'fapi2')),
    grant_types text[] NOT NULL,
    scopes      text[] NOT NULL,
    resources   text[] NOT NULL,
    role        text,
    institution text,
    region      text NOT NULL,
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL
);
CREATE TABLE registrations (
    client_id  text PRIMARY KEY REFERENCES clients,
    grant_id   uuid NOT NULL REFERENCES registration_grants,
    token_hash bytea NOT NULL UNIQUE,
    created_at timestamptz NOT NULL
);
