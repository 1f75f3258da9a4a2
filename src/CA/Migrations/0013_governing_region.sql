-- Rows that hold names or documents of persons carry the region that governs them, fixed at their creation: that of the institution for which the
-- holder acts, else the holder's own, as first recorded; of a service, that of the CA. Locks: the four tables, while their rows are filled once.
ALTER TABLE practitioners ADD COLUMN region char(6);
UPDATE practitioners p SET region = (SELECT f.region FROM practitioner_facts f WHERE f.practitioner = p.urn ORDER BY f.id LIMIT 1);
ALTER TABLE practitioners ALTER COLUMN region SET NOT NULL;

CREATE FUNCTION governing_region(holder text, institution text, otherwise text) RETURNS text LANGUAGE sql STABLE
    RETURN coalesce(
        (SELECT f.region FROM institution_facts f WHERE f.institution = coalesce($2, $1) ORDER BY f.id DESC LIMIT 1),
        (SELECT p.region FROM practitioners p WHERE p.urn = $1),
        (SELECT o.region FROM officers o WHERE o.person = $1),
        $3);

ALTER TABLE certificate_requests ADD COLUMN region char(6);
UPDATE certificate_requests r SET region = governing_region(r.holder, r.institution, coalesce(
    (SELECT o.region::text FROM officers o WHERE o.person = r.requested_by), current_setting('trust.region')));
ALTER TABLE certificate_requests ALTER COLUMN region SET NOT NULL;

ALTER TABLE certificates ADD COLUMN region char(6);
UPDATE certificates c SET region = governing_region(c.holder, c.institution, current_setting('trust.region'));
ALTER TABLE certificates ALTER COLUMN region SET NOT NULL;

ALTER TABLE import_proposal_rows ADD COLUMN region char(6);
UPDATE import_proposal_rows r SET region = (SELECT o.region FROM import_proposals p JOIN officers o ON o.person = p.proposed_by WHERE p.id = r.proposal);
ALTER TABLE import_proposal_rows ALTER COLUMN region SET NOT NULL;

CREATE TRIGGER region_is_fixed BEFORE UPDATE OF region ON practitioners FOR EACH ROW EXECUTE FUNCTION region_is_fixed();
CREATE TRIGGER region_is_fixed BEFORE UPDATE OF region ON practitioner_facts FOR EACH ROW EXECUTE FUNCTION region_is_fixed();
CREATE TRIGGER region_is_fixed BEFORE UPDATE OF region ON officers FOR EACH ROW EXECUTE FUNCTION region_is_fixed();
CREATE TRIGGER region_is_fixed BEFORE UPDATE OF region ON certificate_requests FOR EACH ROW EXECUTE FUNCTION region_is_fixed();
CREATE TRIGGER region_is_fixed BEFORE UPDATE OF region ON certificates FOR EACH ROW EXECUTE FUNCTION region_is_fixed();
CREATE TRIGGER region_is_fixed BEFORE UPDATE OF region ON import_proposal_rows FOR EACH ROW EXECUTE FUNCTION region_is_fixed();
