using System.Collections.Concurrent;
using System.Security.Cryptography;
using Npgsql;
using Trust.Kernel.Postgres;
using Trust.Pkcs11;

namespace Trust.Kernel.Keys;

/// <summary>
/// Seals what a service stores about a person under a key of that person, which is sealed under a master that never leaves the token. The keys are
/// rows of the service's table <c>person_keys</c>; <see cref="PersonShredding"/> destroys one by changing the master, so that neither database nor
/// backup opens what lay under it.
/// </summary>
/// <remarks>
/// An opened key is used for at most <see cref="MemoryLife"/>, and only while its row still has it: another instance may have destroyed it. What was sealed
/// under one is stored by <see cref="Hold"/> alone. Whose key was destroyed never gets another.
/// </remarks>
public sealed class PersonKeys(NpgsqlDataSource db, IToken token, TimeProvider clock)
{
    /// <summary>Bytes by which a sealed value is longer than what is in it: nonce and tag.</summary>
    public const int Overhead = Nonce + Tag;

    /// <summary>How long an opened key is kept in memory.</summary>
    public static readonly TimeSpan MemoryLife = TimeSpan.FromMinutes(1);

    private const int KeySize = 32;
    private const int Nonce = 12;
    private const int Tag = 16;
    private const int MostOpened = 50_000;

    private const string SelectActive = "SELECT number FROM person_masters WHERE state = 'active'";
    private const string LockActive = "SELECT number FROM person_masters WHERE state = 'active' FOR SHARE";
    private const string InsertFirst = "INSERT INTO person_masters (number, state, created_at) VALUES (1, 'active', $1) ON CONFLICT DO NOTHING";
    private const string SelectKey = "SELECT master, wrapped FROM person_keys WHERE person = $1";

    // None for whom a shredding is under way: the master that goes with it may have been left already, and this key would live on under the next one.
    private const string InsertKey = """
        INSERT INTO person_keys (person, region, master, wrapped)
        SELECT $1, $2, $3, $4 WHERE NOT EXISTS (SELECT 1 FROM person_shreddings WHERE person = $1 AND state = 'asked') ON CONFLICT (person) DO NOTHING
        """;

    // Moving to another master goes on beside it; destruction, which locks the row first, does not.
    private const string HoldKey = "SELECT 1 FROM person_keys WHERE person = $1 AND wrapped IS NOT NULL FOR KEY SHARE";

    private readonly ConcurrentDictionary<string, Opened> _opened = new(StringComparer.Ordinal);

    /// <summary>Name of a master in the token.</summary>
    public static KeyRef Master(int number) => new($"person-master-{number}");

    /// <summary>Makes the first master; repeatable.</summary>
    public async Task Provision(CancellationToken ct)
    {
        if (await db.Sql(SelectActive).Scalar<int>(ct) > 0)
        {
            return;
        }

        _ = await token.FindOrGenerate(Master(1), KeyAlgorithm.Aes256, ct);
        await db.Sql(InsertFirst).With(clock.GetUtcNow()).Execute(ct);
    }

    /// <summary>Keeps a person's key from being destroyed until the transaction ends; waits while its fate is decided.</summary>
    /// <returns>Null when it was destroyed: what was sealed under it is not to be stored.</returns>
    public static async Task<HeldPersonKey?> Hold(NpgsqlTransaction tx, byte[] person, CancellationToken ct) =>
        await tx.Sql(HoldKey).With(person).Scalar<int>(ct) == 1 ? new HeldPersonKey(tx) : null;

    /// <summary>Seals bytes under a person's key, which is made with the first; null when it was destroyed, or is not made because it would be.</summary>
    /// <param name="person">32 bytes that name the person here.</param>
    /// <param name="region">Region that governs the person's rows.</param>
    /// <param name="clear">What is sealed.</param>
    /// <param name="context">What it is: opens only as this.</param>
    /// <param name="ct">Cancels.</param>
    public async Task<byte[]?> Seal(byte[] person, string region, ReadOnlyMemory<byte> clear, ReadOnlyMemory<byte> context, CancellationToken ct)
    {
        if (await Key(person, region, ct) is not { } key)
        {
            return null;
        }

        var sealedBytes = new byte[clear.Length + Overhead];
        RandomNumberGenerator.Fill(sealedBytes.AsSpan(0, Nonce));
        using var cipher = new AesGcm(key, Tag);
        cipher.Encrypt(sealedBytes.AsSpan(0, Nonce), clear.Span, sealedBytes.AsSpan(Nonce, clear.Length), sealedBytes.AsSpan(Nonce + clear.Length), context.Span);
        return sealedBytes;
    }

    /// <summary>Opens sealed bytes; null when the person's key was destroyed.</summary>
    /// <exception cref="AuthenticationTagMismatchException">They were changed, or sealed as something else.</exception>
    public async Task<byte[]?> Open(byte[] person, byte[] sealedBytes, ReadOnlyMemory<byte> context, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(sealedBytes);
        if (await Key(person, null, ct) is not { } key)
        {
            return null;
        }

        var clear = new byte[sealedBytes.Length - Overhead];
        using var cipher = new AesGcm(key, Tag);
        cipher.Decrypt(sealedBytes.AsSpan(0, Nonce), sealedBytes.AsSpan(Nonce, clear.Length), sealedBytes.AsSpan(Nonce + clear.Length), clear, context.Span);
        return clear;
    }

    /// <summary>Forgets what was opened for a person.</summary>
    public void Forget(byte[] person) => _opened.TryRemove(Convert.ToHexString(person), out _);

    /// <summary>Forgets what was opened longer than <see cref="MemoryLife"/> ago.</summary>
    public void ForgetOld()
    {
        var now = clock.GetUtcNow();
        foreach (var (person, _) in _opened.Where(o => o.Value.Until <= now).ToList())
        {
            _opened.TryRemove(person, out _);
        }
    }

    private async Task<byte[]?> Key(byte[] person, string? region, CancellationToken ct)
    {
        var (name, now) = (Convert.ToHexString(person), clock.GetUtcNow());
        var row = await Find(person, ct);
        if (row is null && region is not null)
        {
            await Make(person, region, ct);
            row = await Find(person, ct);
        }

        if (row?.Wrapped is not { } wrapped)
        {
            return null;
        }

        // A person's key is one for good, whichever master it lies under.
        if (_opened.TryGetValue(name, out var known) && known.Until > now)
        {
            return known.Key;
        }

        var key = await token.Decrypt(Master(row.Master), wrapped, person, ct);
        if (_opened.Count >= MostOpened)
        {
            _opened.Clear();
        }

        _opened[name] = new Opened(key, now + MemoryLife);
        return key;
    }

    private Task<StoredKey?> Find(byte[] person, CancellationToken ct) =>
        db.Sql(SelectKey).With(person).One(r => new StoredKey(r.GetInt32(0), r.Nullable<byte[]>(1)), ct);

    private async Task Make(byte[] person, string region, CancellationToken ct)
    {
        await Provision(ct);
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        // Shared with other makers, exclusive against a change of master: nothing is sealed under a master that is being left.
        var master = await tx.Sql(LockActive).Scalar<int>(ct);
        if (master == 0)
        {
            throw new InvalidOperationException("The master is being changed.");
        }

        var key = RandomNumberGenerator.GetBytes(KeySize);
        try
        {
            await tx.Sql(InsertKey).With(person).With(region).With(master).With(await token.Encrypt(Master(master), key, person, ct)).Execute(ct);
            await tx.CommitAsync(ct);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(key);
        }
    }

    private sealed record Opened(byte[] Key, DateTimeOffset Until);

    private sealed record StoredKey(int Master, byte[]? Wrapped);
}

/// <summary>A person's key that is not destroyed before its transaction ends: who stores something sealed under it stores it there.</summary>
public sealed class HeldPersonKey
{
    internal HeldPersonKey(NpgsqlTransaction transaction) => Transaction = transaction;

    /// <summary>The transaction that holds it.</summary>
    public NpgsqlTransaction Transaction { get; }
}
