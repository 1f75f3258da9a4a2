-- The region that governs a personal row is fixed at its creation. Locks: three tables for a change of the catalogue.
CREATE TRIGGER region_is_fixed BEFORE UPDATE OF region ON prescriptions FOR EACH ROW EXECUTE FUNCTION region_is_fixed();
CREATE TRIGGER region_is_fixed BEFORE UPDATE OF region ON signatures FOR EACH ROW EXECUTE FUNCTION region_is_fixed();
CREATE TRIGGER region_is_fixed BEFORE UPDATE OF region ON sealed_documents FOR EACH ROW EXECUTE FUNCTION region_is_fixed();
