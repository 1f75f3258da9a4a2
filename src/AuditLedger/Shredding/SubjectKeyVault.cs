using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text.Json;
using Npgsql;
using Trust.Kernel.Postgres;
using Trust.LogFormat;
using Trust.LogFormat.Index;
using Trust.Pkcs11;

namespace Trust.AuditLedger.Shredding;

/// <summary>
/// Keys that open sealed detail: a data key per event, sealed under a key of its governing subject, which is sealed under a master that
/// never leaves the token. To shred a subject every surviving subject key moves to a new master and the old one is destroyed in the token;
/// then neither database nor backup opens the detail, while the hashed bytes, and with them every proof, stay as they are.
/// </summary>
/// <remarks>
/// An opened subject key is used for at most <see cref="MemoryLife"/>, and forgotten at the shredder's next turn, 30 s at most. Another instance may shred it
/// meanwhile: so nothing is opened with it but under the identity that stands in the database, and what was sealed with it is stored by <see cref="Hold"/> alone.
/// </remarks>
internal sealed class SubjectKeyVault(NpgsqlDataSource db, IToken token, TimeProvider clock)
{
    /// <summary>Bytes of a sealed data key as stored: subject, nonce, ciphertext, tag.</summary>
    public const int SealedSize = SubjectKey.Size + Nonce + KeySize + Tag;

    /// <summary>Bytes of a data key, and of a subject's key.</summary>
    public const int KeySize = 32;

    /// <summary>How long an opened subject key is kept in memory.</summary>
    public static readonly TimeSpan MemoryLife = TimeSpan.FromMinutes(1);

    private const int Nonce = 12;
    private const int Tag = 16;
    private const int MaxOpened = 100_000;

    private const string SelectActive = "SELECT number FROM subject_masters WHERE state = 'active'";
    private const string LockActive = "SELECT number FROM subject_masters WHERE state = 'active' FOR SHARE";
    private const string InsertFirst = "INSERT INTO subject_masters (number, state, created_at) VALUES ($1, 'active', $2) ON CONFLICT DO NOTHING";
    private const string InsertKey = "INSERT INTO subject_keys (subject, master, wrapped) VALUES ($1, $2, $3) ON CONFLICT (subject) DO NOTHING";
    private const string SelectKey = "SELECT master, wrapped, id FROM subject_keys WHERE subject = $1";
    private const string SelectDataKey = "SELECT d.key, k.id FROM data_keys d LEFT JOIN subject_keys k ON k.subject = d.subject WHERE d.idx = $1";

    // Moving to another master goes on beside it, deletion does not. One that is about to be deleted is passed over: its fate is not waited for.
    private const string HoldKeys = "SELECT id FROM subject_keys WHERE subject = ANY ($1) FOR KEY SHARE SKIP LOCKED";

    private readonly ConcurrentDictionary<SubjectKey, Opened> _opened = new();

    /// <summary>Name of a master in the token.</summary>
    public static KeyRef Master(int number) => new($"subject-master-{number}");

    /// <summary>Makes the first master; repeatable.</summary>
    public async Task Provision(CancellationToken ct)
    {
        if (await db.Sql(SelectActive).Scalar<int>(ct) > 0)
        {
            return;
        }

        _ = await token.FindOrGenerate(Master(1), KeyAlgorithm.Aes256, ct);
        await db.Sql(InsertFirst).With(1).With(clock.GetUtcNow()).Execute(ct);
    }

    /// <summary>Keeps the keys of subjects from being shredded until the transaction ends. Whoever stores what was sealed under one must hold it.</summary>
    /// <returns>Identities of those that are held; what was sealed under another has to be sealed anew.</returns>
    public static async Task<HashSet<Guid>> Hold(NpgsqlTransaction tx, byte[][] subjects, CancellationToken ct) =>
        [.. await tx.Sql(HoldKeys).With(subjects).All(r => r.GetGuid(0), ct)];

    /// <summary>Seals the data key of an event for storage beside it.</summary>
    /// <param name="body">Body v1, already checked.</param>
    /// <param name="bodyHash">Its SHA-256.</param>
    /// <param name="dataKey">32 bytes.</param>
    /// <param name="ct">Cancels.</param>
    /// <returns>The bytes to store, and the identity of the subject's key.</returns>
    public async Task<SealedDataKey> Seal(ReadOnlyMemory<byte> body, ReadOnlyMemory<byte> bodyHash, ReadOnlyMemory<byte> dataKey, CancellationToken ct)
    {
        var subject = Governing(body.Span);
        var sealedKey = new byte[SealedSize];
        subject.Key.CopyTo(sealedKey);
        var nonce = sealedKey.AsMemory(SubjectKey.Size, Nonce);
        RandomNumberGenerator.Fill(nonce.Span);
        var key = await Open(subject, current: null, create: true, ct) ?? throw new InvalidOperationException("A subject key was not made.");
        using var cipher = new AesGcm(key.Key, Tag);
        cipher.Encrypt(nonce.Span, dataKey.Span, sealedKey.AsSpan(SubjectKey.Size + Nonce, KeySize), sealedKey.AsSpan(SealedSize - Tag), bodyHash.Span);
        return new SealedDataKey(sealedKey, key.Id);
    }

    /// <summary>The data key of an entry; null when it has none, or its subject was shredded.</summary>
    /// <param name="index">Index in the log.</param>
    /// <param name="bodyHash">SHA-256 of its body.</param>
    /// <param name="ct">Cancels.</param>
    public async Task<byte[]?> DataKey(long index, ReadOnlyMemory<byte> bodyHash, CancellationToken ct)
    {
        if (await db.Sql(SelectDataKey).With(index).One(r => new StoredDataKey(r.GetFieldValue<byte[]>(0), r.IsDBNull(1) ? null : r.GetGuid(1)), ct) is not { Key: { Length: SealedSize } stored, Under: { } current }
            || await Open(SubjectKey.FromBytes("subject", stored.AsSpan(0, SubjectKey.Size)), current, create: false, ct) is not { Key: var key })
        {
            return null;
        }

        // Otherwise it was sealed under a key that was shredded, and the subject has a new one since.
        var dataKey = new byte[KeySize];
        return TryOpen(stored, key, bodyHash.Span, dataKey) ? dataKey : null;
    }

    /// <summary>Opens a stored data key; false when it was not sealed like this, under this key.</summary>
    /// <param name="stored"><see cref="SealedSize"/> bytes.</param>
    /// <param name="subjectKey">The subject's key.</param>
    /// <param name="bodyHash">SHA-256 of the event's body.</param>
    /// <param name="dataKey">Receives <see cref="KeySize"/> bytes.</param>
    internal static bool TryOpen(ReadOnlySpan<byte> stored, ReadOnlySpan<byte> subjectKey, ReadOnlySpan<byte> bodyHash, Span<byte> dataKey)
    {
        using var cipher = new AesGcm(subjectKey, Tag);
        try
        {
            cipher.Decrypt(stored.Slice(SubjectKey.Size, Nonce), stored.Slice(SubjectKey.Size + Nonce, KeySize), stored[(SealedSize - Tag)..], dataKey, bodyHash);
            return true;
        }
        catch (AuthenticationTagMismatchException)
        {
            return false;
        }
    }

    /// <summary>Forgets what was opened for a subject.</summary>
    /// <remarks>Not overwritten: a caller that has just been handed the key would seal under zeros, which anyone could open.</remarks>
    public void Forget(SubjectKey subject) => _opened.TryRemove(Keyed(subject), out _);

    /// <summary>Forgets what was opened longer than <see cref="MemoryLife"/> ago; the shredder calls it at every turn.</summary>
    public void ForgetOld()
    {
        var now = clock.GetUtcNow();
        foreach (var (subject, _) in _opened.Where(o => o.Value.Until <= now).ToList())
        {
            _opened.TryRemove(subject, out _);
        }
    }

    /// <summary>Whose shredding destroys the detail: the patient, or without one the first subject; a subjectless event's is nobody's.</summary>
    internal static SubjectKey Governing(ReadOnlySpan<byte> body)
    {
        using var json = JsonDocument.Parse(body.ToArray());
        var subjects = json.RootElement.GetProperty("subjects").EnumerateArray()
            .Select(s => SubjectKey.FromBytes(s.GetProperty("kind").GetString()!, System.Buffers.Text.Base64Url.DecodeFromChars(s.GetProperty("key").GetString())))
            .OrderBy(s => s.Kind is "patient" ? 0 : 1).ThenBy(s => Convert.ToHexString(s.Key), StringComparer.Ordinal);
        return subjects.FirstOrDefault() ?? SubjectKey.FromBytes("subject", new byte[SubjectKey.Size]);
    }

    // By key alone: the stored form knows no kind.
    private static SubjectKey Keyed(SubjectKey subject) => SubjectKey.FromBytes("subject", subject.Key);

    // A key in memory is used when it has the identity asked for, or when whoever asks looks at it afterwards.
    private async Task<Opened?> Open(SubjectKey named, Guid? current, bool create, CancellationToken ct)
    {
        var subject = Keyed(named);
        var now = clock.GetUtcNow();
        if (_opened.TryGetValue(subject, out var known) && known.Until > now && known.Id == (current ?? known.Id))
        {
            return known;
        }

        var row = await Find(subject, ct);
        if (row is null && create)
        {
            await Make(subject, ct);
            row = await Find(subject, ct);
        }

        if (row is null)
        {
            return null;
        }

        var key = await token.Decrypt(Master(row.Master), row.Wrapped, subject.Key.ToArray(), ct);
        if (_opened.Count >= MaxOpened)
        {
            _opened.Clear();
        }

        return _opened[subject] = new Opened(key, row.Id, now + MemoryLife);
    }

    private Task<StoredKey?> Find(SubjectKey subject, CancellationToken ct) =>
        db.Sql(SelectKey).With(subject.Key.ToArray()).One(r => new StoredKey(r.GetInt32(0), r.GetFieldValue<byte[]>(1), r.GetGuid(2)), ct);

    private async Task Make(SubjectKey subject, CancellationToken ct)
    {
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        // Shared with other makers, exclusive against a change of master: nothing is sealed under a master that is being left.
        var master = await tx.Sql(LockActive).Scalar<int>(ct);
        if (master == 0)
        {
            throw new InvalidOperationException("There is no active subject-key master yet.");
        }

        var key = RandomNumberGenerator.GetBytes(KeySize);
        try
        {
            var wrapped = await token.Encrypt(Master(master), key, subject.Key.ToArray(), ct);
            await tx.Sql(InsertKey).With(subject.Key.ToArray()).With(master).With(wrapped).Execute(ct);
            await tx.CommitAsync(ct);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(key);
        }
    }

    private sealed record Opened(byte[] Key, Guid Id, DateTimeOffset Until);

    private sealed record StoredKey(int Master, byte[] Wrapped, Guid Id);

    private sealed record StoredDataKey(byte[] Key, Guid? Under);
}

/// <summary>A data key as stored, and the identity of the subject's key that it is sealed under.</summary>
internal readonly record struct SealedDataKey(byte[] Bytes, Guid Under);
