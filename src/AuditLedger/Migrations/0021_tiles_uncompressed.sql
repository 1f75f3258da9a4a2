-- Hashes do not compress, and a stretch of a tile can be read where it lies only while nothing has tried. Tiles stored before are not compressed
-- either. Locks: tiles exclusively, for a change of the catalogue alone.
ALTER TABLE tiles ALTER COLUMN hashes SET STORAGE EXTERNAL;
