-- Events waiting for the ledger, and what it answered. Locks: creates tables only.
CREATE TABLE audit_outbox (
    ordinal       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id            uuid NOT NULL UNIQUE,
    action        text NOT NULL,
    body          bytea NOT NULL CHECK (octet_length(body) <= 8192),
    data_key      bytea NOT NULL,
    created_at    timestamptz NOT NULL,
    -- Assigned by the relay after commit; together they name the event's place in this service's chain.
    epoch         bigint,
    seq           bigint,
    prev          bytea,
    envelope_hash bytea,
    -- The ledger's receipt.
    idx           bigint,
    ledger_time   timestamptz,
    leaf_hash     bytea,
    tree_size     bigint,
    -- Refused by the ledger for good; its place is filled by a LEDGER.gap event.
    quarantined   text,
    CHECK ((seq IS NULL) = (epoch IS NULL) AND (seq IS NULL) = (envelope_hash IS NULL)),
    UNIQUE (epoch, seq)
);
CREATE INDEX audit_outbox_unnumbered ON audit_outbox (ordinal) WHERE seq IS NULL AND quarantined IS NULL;
CREATE INDEX audit_outbox_unanswered ON audit_outbox (epoch, seq) WHERE seq IS NOT NULL AND idx IS NULL;
CREATE INDEX audit_outbox_answered ON audit_outbox (ledger_time) WHERE idx IS NOT NULL;

-- One row: the head of this service's chain, and what the relay last saw, for the instances that do not hold the relay.
CREATE TABLE audit_relay (
    "only"        boolean PRIMARY KEY DEFAULT true CHECK ("only"),
    epoch         bigint NOT NULL,
    seq           bigint NOT NULL,
    head_hash     bytea NOT NULL,
    -- Largest size of a checkpoint whose signatures and consistency were verified.
    verified_size bigint NOT NULL DEFAULT 0,
    checkpoint    text NOT NULL DEFAULT '',
    reached       boolean NOT NULL DEFAULT false,
    pending       bigint NOT NULL DEFAULT 0,
    oldest        timestamptz,
    seen_at       timestamptz
);
INSERT INTO audit_relay (epoch, seq, head_hash) VALUES (0, 0, decode(repeat('00', 32), 'hex'));
