-- Prescriptions, the signatures over them, and institution seals. Locks: creates tables only.
CREATE TABLE prescriptions (
    id             uuid PRIMARY KEY,
    -- GB/T 2260 code of the prescribing institution's region; governs where the row may be stored.
    region         text NOT NULL CHECK (region ~ '^[0-9]{6}$'),
    number         text NOT NULL,
    institution    text NOT NULL,
    author         text NOT NULL,
    patient        text NOT NULL,
    patient_key    bytea NOT NULL CHECK (octet_length(patient_key) = 32),
    category       text NOT NULL,
    -- RFC 8785 bytes, fixed at submission and never changed.
    payload        bytea NOT NULL CHECK (octet_length(payload) <= 131072),
    payload_sha256 bytea NOT NULL CHECK (octet_length(payload_sha256) = 32),
    status         text NOT NULL CHECK (status IN
        ('draft', 'signed', 'approved', 'returned', 'released', 'claimed', 'dispensed', 'voided', 'expired')),
    -- First instant at which it is no longer valid.
    valid_until    timestamptz NOT NULL,
    claimed_by     text,
    return_reason  text,
    rule_version   text NOT NULL,
    created_at     timestamptz NOT NULL,
    changed_at     timestamptz NOT NULL,
    CHECK ((status IN ('claimed', 'dispensed')) <= (claimed_by IS NOT NULL))
);
-- One number, one prescription in force: drafts and what was returned or voided do not count.
CREATE UNIQUE INDEX prescriptions_number ON prescriptions (institution, number)
    WHERE status NOT IN ('draft', 'returned', 'voided');
CREATE INDEX prescriptions_unsealed ON prescriptions (changed_at) WHERE status = 'approved';

CREATE TABLE signatures (
    id             uuid PRIMARY KEY,
    prescription   uuid NOT NULL REFERENCES prescriptions (id),
    region         text NOT NULL CHECK (region ~ '^[0-9]{6}$'),
    kind           text NOT NULL CHECK (kind IN ('prescribe', 'review', 'seal', 'dispense')),
    signer         text NOT NULL,
    institution    text NOT NULL,
    -- Leaf first, then its issuers, root excluded.
    certificates   bytea[] NOT NULL,
    protected      text NOT NULL,
    -- The signed bytes; NULL means the prescription's payload.
    payload        bytea CHECK (octet_length(payload) <= 16384),
    -- prepared: waits for the signer; intended: the intent is on its way to the ledger; done: released.
    status         text NOT NULL CHECK (status IN ('prepared', 'intended', 'done')),
    prepared_at    timestamptz NOT NULL,
    expires_at     timestamptz NOT NULL,
    signature      text,
    completion_key text,
    intent         uuid,
    time_stamp     bytea,
    completed_at   timestamptz,
    CHECK ((status = 'prepared') = (signature IS NULL AND intent IS NULL) OR kind IN ('seal', 'dispense')),
    CHECK ((status = 'done') = (time_stamp IS NOT NULL AND signature IS NOT NULL AND completed_at IS NOT NULL))
);
-- At most one signature of a kind is ever on its way or released.
CREATE UNIQUE INDEX signatures_one ON signatures (prescription, kind) WHERE status <> 'prepared';
CREATE INDEX signatures_prepared ON signatures (prescription, kind, signer) WHERE status = 'prepared';

CREATE TABLE seals (
    institution  text PRIMARY KEY,
    region       text NOT NULL CHECK (region ~ '^[0-9]{6}$'),
    key_label    text NOT NULL UNIQUE,
    request      bytea NOT NULL,
    -- NULL until an officer brings the certificate; leaf first, root excluded.
    certificates bytea[],
    created_at   timestamptz NOT NULL,
    certified_at timestamptz
);
