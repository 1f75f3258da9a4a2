namespace Trust.LogFormat.Index;

/// <summary>Map function 1 of the subject index (docs/LEDGER-FORMAT.md §6): the keys of an event are the distinct ones of its body, sorted as bytes.</summary>
public static class SubjectKeys
{
    /// <summary>Sorts keys and keeps each once.</summary>
    /// <param name="keys">32 bytes each, in any order.</param>
    public static byte[] Distinct(ReadOnlySpan<byte> keys)
    {
        var sorted = keys.ToArray();
        return sorted[..Distinct(sorted.AsSpan())];
    }

    /// <summary>Sorts keys in place, each once, to the front.</summary>
    /// <param name="keys">32 bytes each, in any order.</param>
    /// <returns>Bytes of the keys that are left.</returns>
    public static int Distinct(Span<byte> keys)
    {
        const int size = SubjectKey.Size;
        var length = Math.Min(keys.Length, size);
        Span<byte> key = stackalloc byte[size];
        // By insertion: an event has few subjects.
        for (var from = size; from < keys.Length; from += size)
        {
            keys.Slice(from, size).CopyTo(key);
            var at = length;
            var order = 1;
            while (at > 0 && (order = key.SequenceCompareTo(keys.Slice(at - size, size))) < 0)
            {
                at -= size;
            }

            if (order != 0)
            {
                keys[at..length].CopyTo(keys[(at + size)..]);
                key.CopyTo(keys[at..]);
                length += size;
            }
        }

        return length;
    }
}
