-- Identities are sealed under a key of their patient, which is sealed under a master in the token, so that a patient can be shredded. Of a shredded
-- patient the pseudonym is left, which leads nowhere. Rows that are there are sealed anew by the service in portions.
-- Locks: creates tables; patients for a change of the catalogue.
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

ALTER TABLE patients
    ALTER COLUMN identity_lookup DROP NOT NULL,
    ALTER COLUMN identity_sealed DROP NOT NULL,
    ALTER COLUMN commitment_salt DROP NOT NULL,
    -- Sealed under the patient's key, not by the token itself.
    ADD COLUMN by_person boolean NOT NULL DEFAULT false,
    ADD COLUMN shredded_at timestamptz,
    ADD CHECK ((shredded_at IS NULL) = (identity_lookup IS NOT NULL) AND (shredded_at IS NULL) = (identity_sealed IS NOT NULL));
CREATE INDEX patients_unsealed ON patients (pseudonym) WHERE NOT by_person AND shredded_at IS NULL;
ALTER TABLE consents ALTER COLUMN method DROP NOT NULL;
-- What its time is over for.
CREATE INDEX sessions_expiry ON sessions (expires_at);
CREATE INDEX consents_withdrawn ON consents (withdrawn_at) WHERE withdrawn_at IS NOT NULL;
