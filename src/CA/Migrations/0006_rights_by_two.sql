-- What one officer said counts for a second one only while the first is an officer whose card is good, for a week, and for the very
-- state it was said of. Locks: three small tables for an instant; nothing is rewritten.
CREATE FUNCTION officer_counts(person text, certificate text, at timestamptz) RETURNS boolean LANGUAGE sql STABLE
    RETURN EXISTS (
        SELECT 1 FROM officers o JOIN certificates c ON c.holder = o.person
        WHERE o.person = $1 AND o.active AND c.sha256 = $2 AND c.state = 'good' AND c.not_before <= $3 AND c.not_after >= $3);

-- The card at the door; older approvals name their signature certificate alone.
ALTER TABLE approvals ADD COLUMN login_sha256 text;
-- Wishes of before name neither card nor state, so no second officer can carry them out: they are asked for anew.
ALTER TABLE reinstatements ADD COLUMN state_id bigint, ADD COLUMN login_sha256 text;
ALTER TABLE certificate_resumptions ADD COLUMN state_id bigint, ADD COLUMN login_sha256 text;
CREATE INDEX certificate_requests_at ON certificate_requests (requested_at, id);
