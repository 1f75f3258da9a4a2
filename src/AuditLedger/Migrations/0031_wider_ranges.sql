-- Ranges of entries made from now on hold 67,108,864: every range costs each reader that cannot say where it looks two locks, and a thousand of them
-- leave the database without any. Ranges that stand keep their width; where each begins and ends is in entries_ranges, and nothing counts by width.
-- Locks: one row.
UPDATE entries_layout SET width = 67108864 WHERE width = 1048576;
