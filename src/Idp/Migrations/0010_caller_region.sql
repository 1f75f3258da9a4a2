-- Where the browser was that opened a session, by the declared networks: a session carries it. Null for sessions from before.
-- Locks: adds a column without a default, which rewrites nothing.
ALTER TABLE sessions ADD COLUMN caller_region text;
