-- Clients are registered and widened by two officers: what the first proposed, and whose card signed it. Locks: creates tables only.
CREATE TABLE client_changes (
    id          uuid PRIMARY KEY,
    client_id   text NOT NULL,
    document    bytea NOT NULL,
    sha256      bytea NOT NULL CHECK (octet_length(sha256) = 32),
    proposed_by text NOT NULL,
    proposed_at timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    state       text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'applied')),
    applied_at  timestamptz,
    CHECK ((state = 'applied') = (applied_at IS NOT NULL))
);
CREATE INDEX client_changes_open ON client_changes (proposed_at, id) WHERE state = 'open';

CREATE TABLE client_change_approvals (
    change             uuid NOT NULL REFERENCES client_changes,
    officer            text NOT NULL,
    certificate_sha256 text NOT NULL,
    signature          bytea NOT NULL CHECK (octet_length(signature) = 64),
    approved_at        timestamptz NOT NULL,
    PRIMARY KEY (change, officer)
);
