-- A request to log in again is answered by the login that it caused, and one that names a person by that person. Locks: one table for an
-- instant; requests live ten minutes.
ALTER TABLE authorization_requests ADD COLUMN session_id uuid, ADD COLUMN hint_subject text;
