-- Answers kept by Idempotency-Key. Lock impact: new table only.
CREATE TABLE idempotency (
    caller       text        NOT NULL,
    endpoint     text        NOT NULL,
    key          text        NOT NULL,
    request_hash bytea       NOT NULL,
    lease_until  timestamptz NOT NULL,
    status       int,
    content_type text,
    location     text,
    body         bytea,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (caller, endpoint, key)
);
CREATE INDEX idempotency_created ON idempotency (created_at);
