-- The region that governs a personal row is fixed at its creation, and a card login has one too. Locks: card_logins, whose rows live for a minute,
-- while they are filled; the others for a change of the catalogue.
ALTER TABLE card_logins ADD COLUMN region text;
UPDATE card_logins SET region = current_setting('trust.region');
ALTER TABLE card_logins ALTER COLUMN region SET NOT NULL;
CREATE TRIGGER region_is_fixed BEFORE UPDATE OF region ON card_logins FOR EACH ROW EXECUTE FUNCTION region_is_fixed();
CREATE TRIGGER region_is_fixed BEFORE UPDATE OF region ON sessions FOR EACH ROW EXECUTE FUNCTION region_is_fixed();
CREATE TRIGGER region_is_fixed BEFORE UPDATE OF region ON acknowledgements FOR EACH ROW EXECUTE FUNCTION region_is_fixed();
CREATE TRIGGER region_is_fixed BEFORE UPDATE OF region ON patients FOR EACH ROW EXECUTE FUNCTION region_is_fixed();
CREATE TRIGGER region_is_fixed BEFORE UPDATE OF region ON consents FOR EACH ROW EXECUTE FUNCTION region_is_fixed();
