-- Requests that a person decides elsewhere than where they were made: by device code (RFC 8628) and by back channel (CIBA 1.0). Locks: creates a table.
CREATE TABLE decoupled_requests (
    id                 uuid PRIMARY KEY,
    kind               text NOT NULL CHECK (kind IN ('device', 'ciba')),
    -- Of the device_code or auth_req_id that the client polls with.
    hash               bytea NOT NULL UNIQUE,
    client_id          text NOT NULL REFERENCES clients,
    scope              text NOT NULL,
    resource           text NOT NULL,
    origin             text NOT NULL,
    region             text NOT NULL,
    created_at         timestamptz NOT NULL,
    expires_at         timestamptz NOT NULL,
    interval_seconds   int NOT NULL,
    polled_at          timestamptz,
    state              text NOT NULL CHECK (state IN ('pending', 'approved', 'denied', 'replaced', 'used')),
    decided_at         timestamptz,
    session_id         uuid REFERENCES sessions,
    institution        text,
    -- A device's: what the person types.
    user_code          bytea UNIQUE,
    -- CIBA's: who is asked, and what the client is told when that is decided (ping).
    person             text,
    binding_message    text,
    auth_req_id        text,
    notification_token text,
    notify_after       timestamptz,
    notify_tries       int NOT NULL DEFAULT 0,
    CHECK ((kind = 'device') = (user_code IS NOT NULL) AND (kind = 'ciba') = (person IS NOT NULL)),
    CHECK ((state IN ('approved', 'used')) = (session_id IS NOT NULL AND institution IS NOT NULL))
);
-- One open request of a client to a person.
CREATE UNIQUE INDEX decoupled_requests_one_open ON decoupled_requests (client_id, person) WHERE kind = 'ciba' AND state = 'pending';
CREATE INDEX decoupled_requests_of_person ON decoupled_requests (person) WHERE person IS NOT NULL;
CREATE INDEX decoupled_requests_notify ON decoupled_requests (notify_after) WHERE notify_after IS NOT NULL;
CREATE INDEX decoupled_requests_expiry ON decoupled_requests (expires_at);
CREATE TRIGGER region_is_fixed BEFORE UPDATE OF region ON decoupled_requests FOR EACH ROW EXECUTE FUNCTION region_is_fixed();
CREATE TRIGGER region_is_storable BEFORE INSERT ON decoupled_requests FOR EACH ROW EXECUTE FUNCTION region_is_storable();

-- The provider's own pages, for which a person logs in where no client has sent the browser. It has no grant, so it asks for nothing at any endpoint.
INSERT INTO clients (client_id, name_zh, name_en, kind, profile, redirect_uris, post_logout_redirect_uris, grant_types, scopes, resources, region, metadata)
VALUES ('trust-pages', '可信医学数字身份', 'Trusted Medical Identity', 'public', 'fapi2', '{}', '{}', '{}', '{}', '{}', current_setting('trust.region'),
        '{"token_endpoint_auth_method":"none"}')
ON CONFLICT DO NOTHING;
