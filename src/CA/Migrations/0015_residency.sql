-- Residency declarations: what one officer proposes and a second accepts. The document is public to every service; nobody's data stand in it.
-- Locks: creates a table only.
CREATE TABLE residency_declarations (
    id          uuid PRIMARY KEY,
    version     integer NOT NULL,
    sha256      text NOT NULL,
    -- The general serialization: with the first officer's signature while proposed, with both and ca's own once in force.
    jws         bytea NOT NULL,
    proposed_by text NOT NULL REFERENCES officers,
    card_sha256 text NOT NULL,
    proposed_at timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    state       text NOT NULL DEFAULT 'proposed' CHECK (state IN ('proposed', 'in-force')),
    accepted_by text REFERENCES officers,
    accepted_at timestamptz,
    CHECK ((state = 'in-force') = (accepted_at IS NOT NULL)),
    CHECK (accepted_by IS NULL OR accepted_by <> proposed_by)
);
-- One document a version: two that are accepted at once are one too many.
CREATE UNIQUE INDEX residency_declarations_in_force ON residency_declarations (version) WHERE state = 'in-force';
CREATE INDEX residency_declarations_list ON residency_declarations (proposed_at, id);
