-- A hold belongs to the region whose regulator placed it, and two persons of that region release it. Locks: legal_holds exclusively, shortly.
-- The region of older holds is not on record: any region's regulators see and release them, still by two.
ALTER TABLE legal_holds ADD COLUMN region text CHECK (region ~ '^[0-9]{6}$');
ALTER TABLE legal_holds ADD COLUMN release_asked_by text;
ALTER TABLE legal_holds ADD COLUMN release_asked_at timestamptz;
ALTER TABLE legal_holds ADD CHECK ((release_asked_by IS NULL) = (release_asked_at IS NULL));
ALTER TABLE legal_holds ADD CHECK (released_by IS NULL OR release_asked_by IS NULL OR released_by <> release_asked_by);
