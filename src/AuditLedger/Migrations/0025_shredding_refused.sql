-- A shredding that was approved is refused all the same when a hold is placed, or detail comes in that has to be kept, before its key is gone.
-- Locks: shreddings exclusively, for a change of the catalogue and a look at its rows.
ALTER TABLE shreddings DROP CONSTRAINT shreddings_state_check;
ALTER TABLE shreddings ADD CONSTRAINT shreddings_state_check CHECK (state IN ('requested', 'approved', 'destroyed', 'refused'));
