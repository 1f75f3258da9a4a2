-- The shredding of a patient reaches the services that keep records of patients. Each is asked once the intent to ask it is stored, and again until it
-- has answered; 'reached': all have, and the ledger's own detail goes. Locks: creates a table; shreddings for a look at its rows.
CREATE TABLE shredding_steps (
    shredding   uuid NOT NULL REFERENCES shreddings (id),
    service     text NOT NULL,
    state       text NOT NULL CHECK (state IN ('asked', 'kept', 'destroyed')),
    asked_at    timestamptz NOT NULL,
    answered_at timestamptz,
    kept_until  timestamptz,
    PRIMARY KEY (shredding, service),
    CHECK ((state = 'asked') = (answered_at IS NULL) AND (state = 'kept') = (kept_until IS NOT NULL))
);
ALTER TABLE shreddings DROP CONSTRAINT shreddings_state_check;
ALTER TABLE shreddings ADD CONSTRAINT shreddings_state_check CHECK (state IN ('requested', 'approved', 'reached', 'destroyed', 'refused'));
-- One whose change of master has begun before this.
UPDATE shreddings SET state = 'reached' WHERE state = 'approved' AND master IS NOT NULL;
DROP INDEX shreddings_open;
CREATE INDEX shreddings_open ON shreddings (state) WHERE state IN ('approved', 'reached');
