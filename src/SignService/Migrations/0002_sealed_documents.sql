-- Seals an institution puts on documents of its own; the documents stay with it. Locks: creates a table only.
CREATE TABLE sealed_documents (
    id             uuid PRIMARY KEY,
    region         text NOT NULL CHECK (region ~ '^[0-9]{6}$'),
    institution    text NOT NULL,
    payload_sha256 bytea NOT NULL CHECK (octet_length(payload_sha256) = 32),
    protected      text NOT NULL,
    -- Idempotency key of the request: a retry after a crash finds its first attempt.
    request_key    text NOT NULL UNIQUE,
    signature      text,
    time_stamp     bytea,
    created_at     timestamptz NOT NULL,
    completed_at   timestamptz,
    CHECK ((completed_at IS NULL) = (signature IS NULL) AND (completed_at IS NULL) = (time_stamp IS NULL))
);
