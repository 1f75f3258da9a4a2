-- What begins or ends at a later instant is told to the feed and the ledger, and acts on certificates, when that instant comes.
-- Locks: creates a table only.
CREATE TABLE due_changes (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind         text NOT NULL CHECK (kind IN ('practitioner', 'institution', 'affiliation', 'filing')),
    practitioner text REFERENCES practitioners,
    institution  text REFERENCES institutions,
    due_at       timestamptz NOT NULL,
    ends         boolean NOT NULL,
    recorded_by  text NOT NULL,
    applied_at   timestamptz
);
CREATE INDEX due_changes_next ON due_changes (due_at, id) WHERE applied_at IS NULL;

-- Ends that are still to come, and ends that came without anything noticing.
INSERT INTO due_changes (kind, practitioner, institution, due_at, ends, recorded_by)
SELECT 'affiliation', a.practitioner, a.institution, a.valid_to, true, a.recorded_by FROM affiliations a
WHERE a.valid_to IS NOT NULL AND (a.valid_to > now() OR EXISTS (
    SELECT 1 FROM certificates c WHERE c.holder = a.practitioner AND c.institution = a.institution AND c.state IN ('good', 'hold')));
INSERT INTO due_changes (kind, practitioner, institution, due_at, ends, recorded_by)
SELECT 'filing', f.practitioner, f.institution, f.valid_to, true, f.recorded_by FROM filings f WHERE f.valid_to > now();
INSERT INTO due_changes (kind, practitioner, institution, due_at, ends, recorded_by)
SELECT 'affiliation', a.practitioner, a.institution, a.valid_from, false, a.recorded_by FROM affiliations a WHERE a.valid_from > now();
INSERT INTO due_changes (kind, practitioner, institution, due_at, ends, recorded_by)
SELECT 'filing', f.practitioner, f.institution, f.valid_from, false, f.recorded_by FROM filings f WHERE f.valid_from > now();
