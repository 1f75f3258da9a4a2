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
/// <remarks>
/// Places are checked with the entries. Opening goes by subject, because each subject's key costs the token an operation: page after page of subjects, of a
/// page its data keys by index, and at last those whose subject has no key. Between any two steps it can stop and go on from a <see cref="KeyPosition"/>.
/// </remarks>
internal sealed class DataKeyCheck(NpgsqlDataSource db, IToken token, KeyPace pace, Action<string, long?, string> report, Action<string> note)
{
    private const string SelectPlaces = "SELECT idx FROM data_keys WHERE idx >= $1 AND idx < $2 ORDER BY idx";

    // Entry and data key are stored as one; a row where none is yet would stop the sequencer when it comes there.
    private const string SelectBeyond = "SELECT d.idx FROM data_keys d WHERE d.idx >= $1 AND NOT EXISTS (SELECT FROM entries e WHERE e.idx = d.idx) ORDER BY d.idx";

    private const string SelectSubjects = "SELECT subject, master, wrapped FROM subject_keys WHERE subject > $1 ORDER BY subject LIMIT $2";

    // A page that is gone on with has the same end: what was shredded meanwhile does not draw in a subject whose first data keys were not opened.
    private const string SelectPage = "SELECT subject, master, wrapped FROM subject_keys WHERE subject > $1 AND subject <= $2 ORDER BY subject";
    private const string SelectSubject = "SELECT subject, master, wrapped FROM subject_keys WHERE subject = $1";

    private const string SelectKeys = """
        SELECT d.idx, d.key, e.leaf FROM (SELECT idx, key FROM data_keys WHERE subject = ANY ($1) AND idx >= $2 AND idx < $3 ORDER BY idx LIMIT $4) d
        LEFT JOIN entries e USING (idx) ORDER BY d.idx
        """;

    // The leaf only where it is needed: nearly every subject has a key.
    private const string SelectAnyKeys = """
        SELECT d.idx, d.key, CASE WHEN k.subject IS NULL THEN (SELECT leaf FROM entries e WHERE e.idx = d.idx) END
        FROM (SELECT idx, key, subject FROM data_keys WHERE idx >= $1 AND idx < $2 ORDER BY idx LIMIT $3) d LEFT JOIN subject_keys k ON k.subject = d.subject ORDER BY d.idx
        """;

    // From when a master has been chosen to go with them their keys are gone.
    private const string SelectShredded = "SELECT subject, destroyed_at FROM shreddings WHERE master IS NOT NULL";

    private readonly byte[] _dataKey = new byte[SubjectKeyVault.KeySize];
    private Dictionary<string, long> _shredded = [];
    private long _closed;

    /// <summary>Checks that each of a stretch of entries has its key, and no other has one.</summary>
    /// <param name="first">First entry of the stretch; the keys of those before have their entries.</param>
    /// <param name="end">Index after its last; what is added behind it meanwhile is left for the next check.</param>
    /// <param name="withDetail">Indices of its whole entries with sealed detail, rising: each has a data key.</param>
    /// <param name="damaged">Whether an entry is damaged, so that nobody knows whether it has.</param>
    /// <param name="ct">Cancels.</param>
    public async Task CheckPlaces(long first, long end, List<long> withDetail, Func<long, bool> damaged, CancellationToken ct)
    {
        var next = 0;
        await using var command = db.Sql(SelectPlaces).With(first).With(end);
        await using var reader = await command.ExecuteReaderAsync(ct);
        while (await reader.ReadAsync(ct))
        {
            var index = reader.GetInt64(0);
            next = Missing(withDetail, next, index);
            if (next < withDetail.Count && withDetail[next] == index)
            {
                next++;
            }
            else if (!damaged(index))
            {
                report("data-key-stray", index, "the entry has no sealed detail");
            }
        }

        Missing(withDetail, next, end);
    }

    /// <summary>Checks that no data key lies where no entry is.</summary>
    /// <param name="size">Entries of the log.</param>
    /// <param name="ct">Cancels.</param>
    public async Task CheckBeyond(long size, CancellationToken ct)
    {
        foreach (var beyond in await db.Sql(SelectBeyond).With(size).All(r => r.GetInt64(0), ct))
        {
            report("data-key-stray", beyond, "there is no such entry");
        }
    }

    /// <summary>Opens the next keys, as many as go into a portion.</summary>
    /// <param name="from">Where to go on.</param>
    /// <param name="damaged">Whether an entry is damaged, so that it says nothing of its key.</param>
    /// <param name="rest">Called after each step.</param>
    /// <param name="ct">Cancels.</param>
    /// <returns>Where the next portion goes on; null when all are opened.</returns>
    public async Task<KeyPosition?> OpenPortion(KeyPosition from, Func<long, bool> damaged, Func<Task> rest, CancellationToken ct)
    {
        var at = from;
        for (var (subjects, keys) = (0, 0); at is not null && subjects < pace.Subjects && keys < pace.Keys;)
        {
            var step = at.WithoutSubject ? await OpenAny(at, damaged, ct) : await OpenPage(at, damaged, ct);
            (at, subjects, keys) = (step.Next, subjects + step.Subjects, keys + step.Keys);
            await rest();
        }

        if (_closed > 0)
        {
            note(string.Create(CultureInfo.InvariantCulture, $"{_closed} data keys are of shredded subjects: they open no more, and their bits were not checked"));
            _closed = 0;
        }

        return at;
    }

    private int Missing(List<long> withDetail, int next, long before)
    {
        for (; next < withDetail.Count && withDetail[next] < before; next++)
        {
            report("data-key-missing", withDetail[next], "nothing opens the entry's sealed detail");
        }

        return next;
    }

    private async Task<Step> OpenPage(KeyPosition at, Func<long, bool> damaged, CancellationToken ct)
    {
        var page = at.Last.Length > 0
            ? await db.Sql(SelectPage).With(at.After).With(at.Last).All(ReadSubject, ct)
            : await db.Sql(SelectSubjects).With(at.After).With(pace.Page).All(ReadSubject, ct);
        if (page.Count == 0)
        {
            // A page that is gone, or the last one: then those that are left have no subject's key.
            return new Step(at.Last.Length > 0 ? at with { After = at.Last, Last = [], Index = 0 } : at with { WithoutSubject = true, Index = 0 }, 0, 0);
        }

        var opened = new Dictionary<string, byte[]?>(StringComparer.Ordinal);
        try
        {
            foreach (var stored in page)
            {
                opened[Name(stored.Subject)] = await Open(stored, ct);
            }

            var subjects = page.Select(s => s.Subject).ToArray();
            var (read, last) = await CheckKeys(db.Sql(SelectKeys).With(subjects).With(at.Index).With(at.Size).With(pace.Step), opened, damaged, ct);
            var end = at.Last.Length > 0 ? at.Last : page[^1].Subject;
            return new Step(read == pace.Step ? at with { Last = end, Index = last + 1 } : at with { After = end, Last = [], Index = 0 }, page.Count, read);
        }
        finally
        {
            foreach (var key in opened.Values.OfType<byte[]>())
            {
                CryptographicOperations.ZeroMemory(key);
            }
        }
    }

    private async Task<Step> OpenAny(KeyPosition at, Func<long, bool> damaged, CancellationToken ct)
    {
        var (read, last) = await CheckKeys(db.Sql(SelectAnyKeys).With(at.Index).With(at.Size).With(pace.Step), [], damaged, ct);
        return new Step(read == pace.Step ? at with { Index = last + 1 } : null, 0, read);
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

    private async Task<(int Read, long Last)> CheckKeys(NpgsqlCommand command, Dictionary<string, byte[]?> subjects, Func<long, bool> damaged, CancellationToken ct)
    {
        await using var disposed = command;
        await using var reader = await command.ExecuteReaderAsync(ct);
        var (read, last) = (0, -1L);
        for (; await reader.ReadAsync(ct); read++)
        {
            last = reader.GetInt64(0);
            if (damaged(last) || await reader.IsDBNullAsync(2, ct))
            {
                continue;
            }

            var key = await reader.GetFieldValueAsync<byte[]>(1, ct);
            var subject = Name(key.AsSpan(0, SubjectKey.Size));
            var known = subjects.TryGetValue(subject, out var subjectKey);
            if (!known || subjectKey is not null)
            {
                await CheckKey(last, key, await reader.GetFieldValueAsync<byte[]>(2, ct), subject, subjectKey, ct);
            }
        }

        return (read, last);
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

    // Null when it opens, or the entry is not one whose key this could be (it was named with the places); otherwise when the entry was logged.
    private long? Closed(byte[] key, byte[] leaf, byte[]? subjectKey)
    {
        if (!EventLeaf.TryRead(leaf, out var e) || !EventBodyReader.HoldsSealed(e.Body))
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

    private sealed record Step(KeyPosition? Next, int Subjects, int Keys);
}
