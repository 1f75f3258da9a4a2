-- Rows about persons are stored only where the residency rules let their region be (storable_regions). Locks: each table for a moment.
CREATE TRIGGER region_is_storable BEFORE INSERT ON certificate_requests FOR EACH ROW EXECUTE FUNCTION region_is_storable();
CREATE TRIGGER region_is_storable BEFORE INSERT ON certificates FOR EACH ROW EXECUTE FUNCTION region_is_storable();
CREATE TRIGGER region_is_storable BEFORE INSERT ON import_proposal_rows FOR EACH ROW EXECUTE FUNCTION region_is_storable();
CREATE TRIGGER region_is_storable BEFORE INSERT ON officers FOR EACH ROW EXECUTE FUNCTION region_is_storable();
CREATE TRIGGER region_is_storable BEFORE INSERT ON practitioner_facts FOR EACH ROW EXECUTE FUNCTION region_is_storable();
CREATE TRIGGER region_is_storable BEFORE INSERT ON practitioners FOR EACH ROW EXECUTE FUNCTION region_is_storable();
