-- Rows of imports that widen rights wait for a second officer. The rows hold national identifiers, so each is sealed by the token, bound
-- to its proposal and place; what officers are shown beside it holds none. Locks: creates tables only.
CREATE TABLE import_proposals (
    id          uuid PRIMARY KEY,
    -- Over the canonical rows and the salt: what the second officer confirms. The salt keeps the hash, which the ledger holds, from being guessed.
    sha256      text NOT NULL,
    salt        bytea NOT NULL,
    -- The same rows of the same officer again are the same proposal: a keyed hash finds them.
    rows_lookup bytea NOT NULL,
    rows        integer NOT NULL,
    proposed_by text NOT NULL REFERENCES officers,
    card_sha256 text NOT NULL,
    proposed_at timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    state       text NOT NULL DEFAULT 'proposed' CHECK (state IN ('proposed', 'applied', 'withdrawn', 'expired')),
    closed_by   text,
    closed_at   timestamptz,
    results     text,
    CHECK ((state = 'proposed') = (closed_at IS NULL))
);
CREATE INDEX import_proposals_same ON import_proposals (proposed_by, rows_lookup) WHERE state = 'proposed';
CREATE INDEX import_proposals_list ON import_proposals (proposed_at, id);
CREATE INDEX import_proposals_expiry ON import_proposals (expires_at) WHERE state = 'proposed';
CREATE TABLE import_proposal_rows (
    proposal uuid NOT NULL REFERENCES import_proposals,
    position integer NOT NULL,
    kind     text NOT NULL CHECK (kind IN ('institution', 'practitioner', 'affiliation', 'filing')),
    -- Place in its list of the import.
    row      integer NOT NULL,
    sealed   bytea NOT NULL,
    before   text NOT NULL,
    after    text NOT NULL,
    PRIMARY KEY (proposal, position)
);
