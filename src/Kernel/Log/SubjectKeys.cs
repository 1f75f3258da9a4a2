using Trust.Kernel.Audit;

namespace Trust.Kernel.Log;

/// <summary>Map function 1 of the subject index (docs/LEDGER-FORMAT.md §6): the keys of an event are the distinct ones of its body, sorted as bytes.</summary>
public static class SubjectKeys
{
    /// <summary>Sorts keys and keeps each once.</summary>
    /// <param name="keys">32 bytes each, in any order.</param>
    public static byte[] Distinct(ReadOnlySpan<byte> keys)
    {
        const int size = SubjectKey.Size;
        if (keys.Length <= size)
        {
            return keys.ToArray();
        }

        var list = new List<byte[]>(keys.Length / size);
        for (var at = 0; at < keys.Length; at += size)
        {
            list.Add(keys.Slice(at, size).ToArray());
        }

        list.Sort(static (a, b) => a.AsSpan().SequenceCompareTo(b));
        var sorted = new byte[keys.Length];
        var length = 0;
        for (var i = 0; i < list.Count; i++)
        {
            if (i > 0 && list[i].AsSpan().SequenceEqual(list[i - 1]))
            {
                continue;
            }

            list[i].CopyTo(sorted, length);
            length += size;
        }

        return sorted[..length];
    }
}
