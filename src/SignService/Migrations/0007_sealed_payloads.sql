-- Clinical bytes are sealed under a key of their patient, which is sealed under a master in the token; their hashes and the signatures over them stay
-- in clear, so that what was signed stays proved when the key is destroyed. Rows that are there are sealed by the service in portions.
-- Locks: creates tables; prescriptions, while the indexes are built.
CREATE TABLE person_masters (
    number       integer PRIMARY KEY CHECK (number > 0),
    state        text NOT NULL CHECK (state IN ('active', 'retiring', 'destroyed')),
    created_at   timestamptz NOT NULL,
    destroyed_at timestamptz,
    CHECK ((state = 'destroyed') = (destroyed_at IS NOT NULL))
);
CREATE UNIQUE INDEX person_masters_active ON person_masters (state) WHERE state = 'active';

CREATE TABLE person_keys (
    person  bytea PRIMARY KEY CHECK (octet_length(person) = 32),
    region  text NOT NULL CHECK (region ~ '^[0-9]{6}$'),
    master  integer NOT NULL REFERENCES person_masters (number),
    -- nonce 12, ciphertext 32, tag 16; associated data is the person. NULL once it was destroyed: there will be no other.
    wrapped bytea CHECK (octet_length(wrapped) = 60)
);
CREATE INDEX person_keys_master ON person_keys (master) WHERE wrapped IS NOT NULL;
CREATE TRIGGER region_is_fixed BEFORE UPDATE OF region ON person_keys FOR EACH ROW EXECUTE FUNCTION region_is_fixed();

-- What the ledger asked for, by its identifier: intent before what cannot be undone.
CREATE TABLE person_shreddings (
    id          uuid PRIMARY KEY,
    person      bytea NOT NULL CHECK (octet_length(person) = 32),
    state       text NOT NULL CHECK (state IN ('asked', 'kept', 'destroyed')),
    asked_at    timestamptz NOT NULL,
    kept_until  timestamptz,
    answered_at timestamptz,
    -- The master that goes with it, once its change has begun.
    master      integer REFERENCES person_masters (number),
    CHECK ((state = 'asked') = (answered_at IS NULL) AND (state = 'kept') = (kept_until IS NOT NULL))
);
CREATE INDEX person_shreddings_open ON person_shreddings (state) WHERE state = 'asked';

ALTER TABLE prescriptions
    ALTER COLUMN payload DROP NOT NULL,
    ADD COLUMN payload_sealed bytea CHECK (octet_length(payload_sealed) <= 131100),
    ADD COLUMN return_sealed bytea,
    -- In clear or sealed; a shredded one that was not sealed yet is neither.
    ADD CHECK (payload IS NULL OR payload_sealed IS NULL),
    ADD CHECK (return_reason IS NULL OR return_sealed IS NULL);
CREATE INDEX prescriptions_clear ON prescriptions (id) WHERE payload IS NOT NULL OR return_reason IS NOT NULL;
-- What its time is over for, by age.
CREATE INDEX prescriptions_age ON prescriptions (created_at, id);
CREATE INDEX prescriptions_patient ON prescriptions (patient_key, created_at);
