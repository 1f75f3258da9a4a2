-- OpenID provider: keys, clients, requests, sessions, codes, tokens. Locks: creates tables only.
CREATE TABLE signing_keys (
    kid          text PRIMARY KEY,
    label        text NOT NULL UNIQUE,
    spki         bytea NOT NULL,
    state        text NOT NULL CHECK (state IN ('next', 'active', 'retired')),
    created_at   timestamptz NOT NULL,
    activated_at timestamptz,
    retired_at   timestamptz
);
CREATE UNIQUE INDEX signing_keys_one_active ON signing_keys (state) WHERE state = 'active';

CREATE TABLE clients (
    client_id                 text PRIMARY KEY,
    name_zh                   text NOT NULL,
    name_en                   text NOT NULL,
    kind                      text NOT NULL CHECK (kind IN ('confidential', 'public')),
    profile                   text NOT NULL CHECK (profile IN ('standard', 'oidc-compat', 'fapi2')),
    redirect_uris             text[] NOT NULL,
    post_logout_redirect_uris text[] NOT NULL,
    grant_types               text[] NOT NULL,
    scopes                    text[] NOT NULL,
    resources                 text[] NOT NULL,
    jwks                      text,
    role                      text,
    institution               text,
    region                    text NOT NULL,
    enabled                   boolean NOT NULL DEFAULT true
);

CREATE TABLE client_assertions (
    client_id  text NOT NULL,
    jti        text NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (client_id, jti)
);
CREATE INDEX client_assertions_expiry ON client_assertions (expires_at);

CREATE TABLE authorization_requests (
    id             bytea PRIMARY KEY,
    cookie_hash    bytea NOT NULL,
    client_id      text NOT NULL REFERENCES clients,
    redirect_uri   text NOT NULL,
    scope          text NOT NULL,
    state          text,
    nonce          text,
    code_challenge text NOT NULL,
    resource       text NOT NULL,
    prompt         text NOT NULL,
    max_age        int,
    created_at     timestamptz NOT NULL,
    expires_at     timestamptz NOT NULL,
    answered_at    timestamptz
);
CREATE INDEX authorization_requests_expiry ON authorization_requests (expires_at);

-- What a card login leaves for the browser that started it: one use, sixty seconds.
CREATE TABLE card_logins (
    handle_hash bytea PRIMARY KEY,
    request_id  bytea NOT NULL REFERENCES authorization_requests ON DELETE CASCADE,
    person      text NOT NULL,
    certificate text NOT NULL,
    holder      text NOT NULL,
    expires_at  timestamptz NOT NULL,
    used_at     timestamptz
);

CREATE TABLE sessions (
    id               uuid PRIMARY KEY,
    cookie_hash      bytea NOT NULL UNIQUE,
    person           text NOT NULL,
    certificate      text NOT NULL,
    holder           text NOT NULL,
    region           text NOT NULL,
    authenticated_at timestamptz NOT NULL,
    expires_at       timestamptz NOT NULL,
    ended_at         timestamptz,
    end_reason       text
);
CREATE INDEX sessions_person ON sessions (person) WHERE ended_at IS NULL;
CREATE INDEX sessions_certificate ON sessions (certificate) WHERE ended_at IS NULL;

CREATE TABLE acknowledgements (
    person          text NOT NULL,
    client_id       text NOT NULL REFERENCES clients,
    scope           text NOT NULL,
    notice_version  text NOT NULL,
    notice_sha256   text NOT NULL,
    acknowledged_at timestamptz NOT NULL,
    region          text NOT NULL,
    PRIMARY KEY (person, client_id, scope, notice_version)
);

CREATE TABLE codes (
    hash           bytea PRIMARY KEY,
    client_id      text NOT NULL REFERENCES clients,
    redirect_uri   text NOT NULL,
    code_challenge text NOT NULL,
    session_id     uuid NOT NULL REFERENCES sessions,
    scope          text NOT NULL,
    nonce          text,
    resource       text NOT NULL,
    institution    text NOT NULL,
    expires_at     timestamptz NOT NULL,
    used_at        timestamptz
);

CREATE TABLE tokens (
    jti        text PRIMARY KEY,
    client_id  text NOT NULL,
    session_id uuid REFERENCES sessions,
    code_hash  bytea,
    subject    text NOT NULL,
    issued_at  timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz
);
CREATE INDEX tokens_code ON tokens (code_hash) WHERE code_hash IS NOT NULL;
CREATE INDEX tokens_expiry ON tokens (expires_at);
