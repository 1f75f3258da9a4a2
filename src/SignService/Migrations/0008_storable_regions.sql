-- Rows about persons are stored only where the residency rules let their region be (storable_regions). Locks: each table for a moment.
CREATE TRIGGER region_is_storable BEFORE INSERT ON person_keys FOR EACH ROW EXECUTE FUNCTION region_is_storable();
CREATE TRIGGER region_is_storable BEFORE INSERT ON prescriptions FOR EACH ROW EXECUTE FUNCTION region_is_storable();
CREATE TRIGGER region_is_storable BEFORE INSERT ON sealed_documents FOR EACH ROW EXECUTE FUNCTION region_is_storable();
CREATE TRIGGER region_is_storable BEFORE INSERT ON signatures FOR EACH ROW EXECUTE FUNCTION region_is_storable();
