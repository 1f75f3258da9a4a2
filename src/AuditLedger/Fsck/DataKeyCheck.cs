using System.Globalization;
using System.Security.Cryptography;
using Npgsql;
using Trust.AuditLedger.Shredding;
using Trust.Kernel.Postgres;
using Trust.LogFormat;
using Trust.Pkcs11;

namespace Trust.AuditLedger.Fsck;

/// <summary>
/// Opens every data key with its subject's key, and that with its master in the token. They lie beside the hashed bytes, so that shredding leaves
/// every proof as it is, and no hash speaks for them: that they still open is all that shows that no bit of them has changed.
/// </summary>
internal sealed class DataKeyCheck(NpgsqlDataSource db, IToken token, Action<string, long?, string> report, Action<string> note)
{
    private const string SelectPlaces = "SELECT idx FROM data_keys WHERE idx >= $1 AND idx < $2 ORDER BY idx";

    // Entry and data key are stored as one; a row where none is yet would stop the sequencer when it comes there.
    private const string SelectBeyond = "SELECT d.idx FROM data_keys d WHERE d.idx >= $1 AND NOT EXISTS (SELECT FROM entries e WHERE e.idx = d.idx) ORDER BY d.idx";

    private const string SelectSubjects = "SELECT subject, master, wrapped FROM subject_keys WHERE subject > $1 ORDER BY subject LIMIT 500";
    private const string SelectSubject = "SELECT subject, master, wrapped FROM subject_keys WHERE subject = $1";
    private const string SelectKeys = "SELECT d.idx, d.key, e.leaf FROM data_keys d JOIN entries e USING (idx) WHERE d.subject = ANY ($1)";

    private const string SelectWithoutSubject = """
        SELECT d.idx, d.key, e.leaf FROM data_keys d JOIN entries e USING (idx) WHERE NOT EXISTS (SELECT FROM subject_keys k WHERE k.subject = d.subject)
        """;

    // From when a master has been chosen to go with them their keys are gone.
    private const string SelectShredded = "SELECT subject, destroyed_at FROM shreddings WHERE master IS NOT NULL";

    private readonly byte[] _dataKey = new byte[SubjectKeyVault.KeySize];
    private Dictionary<string, long> _shredded = [];
    private List<long> _sealed = [];
    private long _first;
    private long _closed;

    /// <summary>Checks that each of a stretch of entries has its key, and no other has one.</summary>
    /// <param name="first">First entry of the stretch; the keys of those before have their entries.</param>
    /// <param name="end">Index after its last; what is added behind it meanwhile is left for the next check.</param>
    /// <param name="withDetail">Indices of its whole entries with sealed detail, rising: each has a data key.</param>
    /// <param name="damaged">Whether an entry is damaged, so that nobody knows whether it has.</param>
    /// <param name="ct">Cancels.</param>
    public async Task CheckPlaces(long first, long end, List<long> withDetail, Func<long, bool> damaged, CancellationToken ct)
    {
        (_first, _sealed) = (first, withDetail);
        var next = 0;
        await using var command = db.Sql(SelectPlaces).With(first).With(end);
        await using var reader = await command.ExecuteReaderAsync(ct);
        while (await reader.ReadAsync(ct))
        {
            var index = reader.GetInt64(0);
            next = Missing(next, index);
            if (next < _sealed.Count && _sealed[next] == index)
            {
                next++;
            }
            else if (!damaged(index))
            {
                report("data-key-stray", index, "the entry has no sealed detail");
            }
        }

        Missing(next, end);
    }

    /// <summary>Opens the keys of all entries that have been checked; after the last stretch.</summary>
    /// <param name="size">Entries of the log.</param>
    /// <param name="ct">Cancels.</param>
    public async Task OpenAll(long size, CancellationToken ct)
    {
        foreach (var beyond in await db.Sql(SelectBeyond).With(size).All(r => r.GetInt64(0), ct))
        {
            report("data-key-stray", beyond, "there is no such entry");
        }

        var after = Array.Empty<byte>();
        while (await db.Sql(SelectSubjects).With(after).All(ReadSubject, ct) is { Count: > 0 } some)
        {
            await CheckSubjects(some, ct);
            after = some[^1].Subject;
        }

        await CheckKeys(db.Sql(SelectWithoutSubject), [], ct);
        if (_closed > 0)
        {
            note(string.Create(CultureInfo.InvariantCulture, $"{_closed} data keys are of shredded subjects: they open no more, and their bits were not checked"));
        }
    }

    private int Missing(int next, long before)
    {
        for (; next < _sealed.Count && _sealed[next] < before; next++)
        {
            report("data-key-missing", _sealed[next], "nothing opens the entry's sealed detail");
        }

        return next;
    }

    private async Task CheckSubjects(List<StoredKey> some, CancellationToken ct)
    {
        var opened = new Dictionary<string, byte[]?>(StringComparer.Ordinal);
        try
        {
            foreach (var stored in some)
            {
                opened[Name(stored.Subject)] = await Open(stored, ct);
            }

            await CheckKeys(db.Sql(SelectKeys).With(some.Select(s => s.Subject).ToArray()), opened, ct);
        }
        finally
        {
            foreach (var key in opened.Values.OfType<byte[]>())
            {
                CryptographicOperations.ZeroMemory(key);
            }
        }
    }

    // Null when it does not open, which is reported, or has been shredded since it was read.
    private async Task<byte[]?> Open(StoredKey stored, CancellationToken ct)
    {
        try
        {
            return await token.Decrypt(SubjectKeyVault.Master(stored.Master), stored.Wrapped, stored.Subject, ct);
        }
        catch (TokenException e) when (!e.IsTokenLost)
        {
            var now = await db.Sql(SelectSubject).With(stored.Subject).One(ReadSubject, ct);
            if (now is not null && now.Master != stored.Master)
            {
                return await Open(now, ct); // It has moved to another master meanwhile.
            }

            if (now is not null)
            {
                report("subject-key", null, $"subject {Name(stored.Subject)}: its key does not open with master {stored.Master.ToString(CultureInfo.InvariantCulture)}");
            }

            return null;
        }
    }

    private async Task CheckKeys(NpgsqlCommand command, Dictionary<string, byte[]?> subjects, CancellationToken ct)
    {
        await using var disposed = command;
        await using var reader = await command.ExecuteReaderAsync(ct);
        while (await reader.ReadAsync(ct))
        {
            var index = reader.GetInt64(0);
            if (index >= _first && _sealed.BinarySearch(index) < 0)
            {
                continue;
            }

            var key = await reader.GetFieldValueAsync<byte[]>(1, ct);
            var subject = Name(key.AsSpan(0, SubjectKey.Size));
            var known = subjects.TryGetValue(subject, out var subjectKey);
            if (!known || subjectKey is not null)
            {
                await CheckKey(index, key, await reader.GetFieldValueAsync<byte[]>(2, ct), subject, subjectKey, ct);
            }
        }
    }

    private async Task CheckKey(long index, byte[] key, byte[] leaf, string subject, byte[]? subjectKey, CancellationToken ct)
    {
        if (Closed(key, leaf, subjectKey) is not { } time)
        {
            return;
        }

        if (!IsShredded(subject, time))
        {
            // Perhaps since it was looked up.
            _shredded = (await db.Sql(SelectShredded).All(ReadShredded, ct))
                .GroupBy(s => s.Subject, StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.Max(s => s.At), StringComparer.Ordinal);
        }

        if (IsShredded(subject, time))
        {
            _closed++;
            return;
        }

        report("data-key", index, subjectKey is null ? $"there is no key of its subject {subject}, which was not shredded" : "it does not open with the key of its subject");
    }

    // Null when it opens, or the entry is not one whose key this could be; otherwise when the entry was logged.
    private long? Closed(byte[] key, byte[] leaf, byte[]? subjectKey)
    {
        if (!EventLeaf.TryRead(leaf, out var e))
        {
            return null;
        }

        var opens = subjectKey is not null && SubjectKeyVault.TryOpen(key, subjectKey, e.BodyHash, _dataKey);
        CryptographicOperations.ZeroMemory(_dataKey);
        return opens ? null : e.Time;
    }

    private bool IsShredded(string subject, long time) => _shredded.TryGetValue(subject, out var at) && time <= at;

    private static StoredKey ReadSubject(NpgsqlDataReader row) => new(row.GetFieldValue<byte[]>(0), row.GetInt32(1), row.GetFieldValue<byte[]>(2));

    private static (string Subject, long At) ReadShredded(NpgsqlDataReader row) =>
        (Name(row.GetFieldValue<byte[]>(0)), row.IsDBNull(1) ? long.MaxValue : Microseconds.Since1970(row.GetFieldValue<DateTimeOffset>(1)));

    private static string Name(ReadOnlySpan<byte> subject) => Convert.ToHexStringLower(subject);

    private sealed record StoredKey(byte[] Subject, int Master, byte[] Wrapped);
}
