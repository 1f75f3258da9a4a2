-- Patient pseudonyms and consents. Personal rows carry their region (DESIGN §8). Locks: creates tables only.
CREATE TABLE patients (
    pseudonym         text PRIMARY KEY,
    subject_key       bytea NOT NULL UNIQUE CHECK (octet_length(subject_key) = 32),
    region            text NOT NULL,
    identity_lookup   bytea NOT NULL,
    identity_sealed   bytea NOT NULL,
    commitment_salt   bytea NOT NULL,
    bound_by          uuid,
    created_at        timestamptz NOT NULL,
    UNIQUE (region, identity_lookup)
);

CREATE TABLE consents (
    id              text PRIMARY KEY,
    patient         text NOT NULL REFERENCES patients,
    institution     text NOT NULL,
    kind            text NOT NULL,
    notice_version  text NOT NULL,
    notice_sha256   text NOT NULL,
    method          text NOT NULL,
    acknowledged_at timestamptz NOT NULL,
    recorded_by     text NOT NULL,
    region          text NOT NULL,
    withdrawn_at    timestamptz
);
CREATE INDEX consents_patient ON consents (patient, institution, kind);
