using System.Buffers;
using Npgsql;
using Trust.AuditLedger.Index;
using Trust.Kernel.Postgres;
using Trust.LogFormat;
using Trust.LogFormat.Index;

namespace Trust.AuditLedger.Fsck;

/// <summary>Which keys pruned entries had, as the images of their sealed volumes say; asked for by rising index.</summary>
internal sealed class PrunedPostings : IDisposable
{
    // Entries whose postings are held at once; for each such stretch the volume's image is read again.
    private const int Stretch = 1 << 22;

    private const string SelectImage = "SELECT slice, keys FROM index_image WHERE epoch = $1 ORDER BY slice";

    private readonly NpgsqlConnection _connection;
    private readonly IReadOnlyList<StoredVolume> _volumes;
    private readonly long _minimum;
    private readonly List<byte[]> _keys = [];
    private readonly ArrayBufferWriter<byte> _found = new((EventBody.MaxSubjects + 1) * SubjectKey.Size);

    // Place in the stretch, and number of the key, which keeps the keys of a place in order.
    private ulong[] _postings = [];
    private int _next;
    private long _from;
    private long _to;

    private PrunedPostings(NpgsqlConnection connection, IReadOnlyList<StoredVolume> volumes, long minimum)
    {
        (_connection, _volumes, _minimum) = (connection, volumes, minimum);
    }

    /// <summary>Makes one, on a new connection that ends with it.</summary>
    public static PrunedPostings Open(NpgsqlDataSource db, IReadOnlyList<StoredVolume> volumes, long minimum) => new(db.OpenConnection(), volumes, minimum);

    /// <summary>The commit entry that ended a volume; null when none did, or nothing is stored of it.</summary>
    public long? EndOf(long volume) => _volumes.FirstOrDefault(v => v.Number == volume)?.Ended;

    /// <summary>Keys of an entry, rising; false when the image of its volume is missing or damaged.</summary>
    public bool TryKeys(long index, out ReadOnlySpan<byte> keys)
    {
        keys = default;
        if (index >= _to && !TryRead(index))
        {
            return false;
        }

        _found.ResetWrittenCount();
        for (; _next < _postings.Length && (long)(_postings[_next] >> 32) == index - _from; _next++)
        {
            _found.Write(_keys[(int)_postings[_next]]);
        }

        keys = _found.WrittenSpan;
        return true;
    }

    /// <inheritdoc/>
    public void Dispose() => _connection.Dispose();

    private bool TryRead(long index)
    {
        // A volume begins with the commit entry that ended the one before, and has no postings there.
        if (_volumes.FirstOrDefault(v => v.Start <= index && index <= v.Ended) is not { Ended: { } ended } volume)
        {
            return false;
        }

        (_from, _to) = (index, Math.Min(Math.Min(index + Stretch, ended + 1), _minimum));
        _keys.Clear();
        _next = 0;
        var postings = new List<ulong>();
        using var command = _connection.Sql(SelectImage).With(volume.Number);
        using var reader = command.ExecuteReader();
        var slices = 0;
        for (; reader.Read(); slices++)
        {
            if (reader.GetInt16(0) != slices || VolumeImage.ReadSlice(reader.GetFieldValue<byte[]>(1), volume.Start) is not { } keys
                || keys.Exists(k => ((k.Key[0] << 4) | (k.Key[1] >> 4)) != slices))
            {
                return false;
            }

            keys.ForEach(k => Note(k, postings));
        }

        _postings = [.. postings];
        Array.Sort(_postings);
        return slices == VolumeImage.Slices;
    }

    private void Note(KeyPostings key, List<ulong> postings)
    {
        var indices = key.Indices(key.CountBelow(_from), key.CountBelow(_to));
        if (indices.Count > 0)
        {
            _keys.Add(key.Key.ToArray());
            indices.ForEach(i => postings.Add(((ulong)(i - _from) << 32) | (uint)(_keys.Count - 1)));
        }
    }
}
