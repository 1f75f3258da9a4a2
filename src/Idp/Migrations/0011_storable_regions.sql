-- Rows about persons are stored only where the residency rules let their region be (storable_regions). Locks: each table for a moment.
CREATE TRIGGER region_is_storable BEFORE INSERT ON acknowledgements FOR EACH ROW EXECUTE FUNCTION region_is_storable();
CREATE TRIGGER region_is_storable BEFORE INSERT ON card_logins FOR EACH ROW EXECUTE FUNCTION region_is_storable();
CREATE TRIGGER region_is_storable BEFORE INSERT ON consents FOR EACH ROW EXECUTE FUNCTION region_is_storable();
CREATE TRIGGER region_is_storable BEFORE INSERT ON patients FOR EACH ROW EXECUTE FUNCTION region_is_storable();
CREATE TRIGGER region_is_storable BEFORE INSERT ON person_keys FOR EACH ROW EXECUTE FUNCTION region_is_storable();
CREATE TRIGGER region_is_storable BEFORE INSERT ON sessions FOR EACH ROW EXECUTE FUNCTION region_is_storable();
