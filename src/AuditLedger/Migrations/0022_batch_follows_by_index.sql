-- Whether a place was given before is looked up at the end of its source and epoch, by the primary key and in no other way: asked for any row
-- behind a place, a planner that takes one of three rows to be such reads all batches ever stored until it finds none.
-- Locks: none but of the function's row in the catalogue.
CREATE OR REPLACE FUNCTION batches_follow() RETURNS trigger LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off AS $$
BEGIN
    IF NEW.last_seq < NEW.first_seq OR NEW.first_seq <= (
        SELECT b.last_seq FROM batches b WHERE b.source = NEW.source AND b.epoch = NEW.epoch
        ORDER BY b.last_seq DESC LIMIT 1)
    THEN
        RAISE unique_violation USING MESSAGE = format('source %s has sent %s/%s before', NEW.source, NEW.epoch, NEW.first_seq);
    END IF;
    RETURN NEW;
END $$;

DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION batches_follow() SET search_path = %I, pg_temp', current_schema());
END $$;
