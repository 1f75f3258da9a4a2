using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Postgres;
using Trust.LogFormat;
using Trust.Pkcs11;

namespace Trust.Kernel.Keys;

/// <summary>
/// Shreds persons for the ledger, where two records officers decided it and holds are kept. The request is stored under the ledger's identifier of it
/// before anything is done, and answered with where it stands, however often it is sent. Carried out by a new master: every other person's key moves
/// to it, the doomed keys are deleted, and the token destroys the old master. Each step can be repeated; one process at a time. While the keys move the
/// service goes on: what has come about a person by then spares that person.
/// </summary>
public sealed class PersonShredding(
    NpgsqlDataSource db, IToken token, PersonKeys keys, ShreddingRules rules, HoldQuestion holds, Outbox outbox, ServiceOptions service, ShreddingPoints points, TimeProvider clock)
    : IDisposable
{
    /// <summary>Longest time until requests are looked for again.</summary>
    public static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(30);

    private const int Batch = 500;
    private const string Asked = "asked";
    private const string Kept = "kept";
    private const string Held = "held";

    private const string Insert = """
        INSERT INTO person_shreddings (id, person, state, asked_at, kept_until, answered_at) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO NOTHING
        """;

    private const string Select = "SELECT person, state, kept_until FROM person_shreddings WHERE id = $1";
    private const string TryLock = "SELECT pg_try_advisory_lock(hashtextextended('trust.person-shredding.' || current_schema(), 0))";
    private const string Unlock = "SELECT pg_advisory_unlock_all()";

    // A master that was left is destroyed also when everybody was spared.
    private const string CountOpen = """
        SELECT (SELECT count(*) FROM person_shreddings WHERE state = 'asked') + (SELECT count(*) FROM person_masters WHERE state = 'retiring')
        """;

    private const string SelectMaster = "SELECT number FROM person_masters WHERE state = $1";
    private const string Retire = "UPDATE person_masters SET state = 'retiring' WHERE state = 'active' AND number = $1";
    private const string Bind = "UPDATE person_shreddings SET master = $1 WHERE state = 'asked' AND master IS NULL";
    private const string Activate = "INSERT INTO person_masters (number, state, created_at) VALUES ($1, 'active', $2)";
    private const string SelectDoomed = "SELECT id, person FROM person_shreddings WHERE state = 'asked' AND master = $1";

    private const string SelectSurvivors = """
        SELECT person, wrapped FROM person_keys WHERE master = $1 AND wrapped IS NOT NULL AND person <> ALL ($2) ORDER BY person LIMIT 500
        """;

    private const string Move = "UPDATE person_keys SET wrapped = $1, master = $2 WHERE person = $3 AND master = $4 AND wrapped IS NOT NULL";

    // Whoever stores something under it (PersonKeys.Hold) has stored it before the last look, or finds the key gone.
    private const string LockKey = "SELECT wrapped IS NULL FROM person_keys WHERE person = $1 FOR UPDATE";
    private const string DeleteKey = "UPDATE person_keys SET wrapped = NULL WHERE person = $1 AND wrapped IS NOT NULL";
    // Of a person nothing was stored of: nothing will be.
    private const string CloseKey = "INSERT INTO person_keys (person, region, master, wrapped) VALUES ($1, $2, $3, NULL) ON CONFLICT (person) DO NOTHING";
    private const string MarkKept = """
        UPDATE person_shreddings SET state = 'kept', kept_until = $2, answered_at = $3, master = NULL WHERE id = $1 AND state = 'asked'
        """;

    // As if it had not been asked for: the ledger asks again until no hold lies on anything any more.
    private const string ForgetHeld = "DELETE FROM person_shreddings WHERE id = $1 AND state = 'asked'";
    private const string MarkMaster = "UPDATE person_masters SET state = 'destroyed', destroyed_at = $2 WHERE number = $1 AND state = 'retiring'";
    // Bound to the master that went: a request that was spared and asked for anew since has none yet.
    private const string MarkShredded = "UPDATE person_shreddings SET state = 'destroyed', answered_at = $2 WHERE id = $1 AND state = 'asked' AND master = $3";

    private readonly SemaphoreSlim _wake = new(0);

    /// <summary><c>PUT /shreddings/{id}</c>: the ledger asks, and asks again until it is answered <c>destroyed</c> or <c>kept</c>.</summary>
    public async Task<Results<Ok<PersonShreddingAnswer>, Refusal>> Handle(Guid id, PersonShreddingRequest request, HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(context);
        var ct = context.RequestAborted;
        if (!TryRead(request.Subject, out var person))
        {
            return CommonRefusals.MalformedRequest;
        }

        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        if (await Find(tx, id, ct) is not { } known)
        {
            var now = await Judge(tx, person, ct);
            if (now.State is Held)
            {
                return TypedResults.Ok(now);
            }

            known = await TakeOn(tx, id, person, now, ct);
            await tx.CommitAsync(ct);
        }

        // One identifier, one person: whoever asks for another under it would be told of the first.
        if (!known.Person.AsSpan().SequenceEqual(person))
        {
            return CommonRefusals.MalformedRequest;
        }

        _wake.Release();
        return TypedResults.Ok(new PersonShreddingAnswer(known.State, known.KeptUntil));
    }

    /// <summary>Carries out what was asked for, then waits to be woken. Every step can be repeated, so a round that fails is finished by the next.</summary>
    public async Task Round(CancellationToken ct)
    {
        await keys.Provision(ct);
        keys.ForgetOld();
        await CarryOut(ct);
        await _wake.WaitAsync(LongestWait, ct);
    }

    /// <inheritdoc/>
    public void Dispose() => _wake.Dispose();

    private async Task<bool> AreFree(List<SubjectKey> concerned, CancellationToken ct)
    {
        foreach (var some in concerned.Chunk(HoldQuestion.Most))
        {
            // No answer is no permission.
            if (await holds.Among(some, ct) is not { Count: 0 })
            {
                return false;
            }
        }

        return true;
    }

    // What can be said of a person whose key is there: asked, kept or held.
    private async Task<PersonShreddingAnswer> Judge(NpgsqlTransaction tx, byte[] person, CancellationToken ct)
    {
        // On a prescription or an institution the ledger knows the holds, but not that they are this person's.
        if (await rules.Concerned(tx, person, ct) is { Count: > 0 } concerned && !await AreFree(concerned, ct))
        {
            return new PersonShreddingAnswer(Held, null);
        }

        return await rules.KeptUntil(tx, person, ct) is { } end && end > clock.GetUtcNow() ? new PersonShreddingAnswer(Kept, end) : new PersonShreddingAnswer(Asked, null);
    }

    private async Task<Stored> TakeOn(NpgsqlTransaction tx, Guid id, byte[] person, PersonShreddingAnswer judged, CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        await tx.Sql(Insert).With(id).With(person).With(judged.State).With(now).With(judged.KeptUntil).With(judged.State is Kept ? now : (DateTimeOffset?)null).Execute(ct);
        return await Find(tx, id, ct) ?? throw new InvalidOperationException("A request vanished.");
    }

    private static Task<Stored?> Find(NpgsqlTransaction tx, Guid id, CancellationToken ct) => tx.Sql(Select).With(id)
        .One(r => new Stored(r.GetFieldValue<byte[]>(0), r.GetString(1), r.Nullable<DateTimeOffset?>(2)), ct);

    private static bool TryRead(string? hex, out byte[] person)
    {
        person = hex is { Length: 64 } && hex.All(char.IsAsciiHexDigitLower) ? Convert.FromHexString(hex) : [];
        return person.Length > 0;
    }

    /// <summary>Carries out what was asked for; nothing while another process does.</summary>
    public async Task CarryOut(CancellationToken ct)
    {
        await using var connection = await db.OpenConnectionAsync(ct);
        if (!await connection.Sql(TryLock).Scalar<bool>(ct))
        {
            return;
        }

        try
        {
            while (await connection.Sql(CountOpen).Scalar<long>(ct) > 0)
            {
                await Shred(connection, ct);
            }
        }
        finally
        {
            await connection.Sql(Unlock).Execute(CancellationToken.None);
        }
    }

    private async Task Shred(NpgsqlConnection connection, CancellationToken ct)
    {
        var old = await connection.Sql(SelectMaster).With("retiring").Scalar<int>(ct);
        if (old == 0)
        {
            old = await connection.Sql(SelectMaster).With("active").Scalar<int>(ct);
            await Succeed(connection, old, ct);
        }

        points.Pass("after-new-master");
        // Those bound to this change of master, and no later ones: their keys may have moved to the new master already.
        var doomed = await connection.Sql(SelectDoomed).With(old).All(r => new Doomed(r.GetGuid(0), r.GetFieldValue<byte[]>(1)), ct);
        var next = await connection.Sql(SelectMaster).With("active").Scalar<int>(ct);
        while (await MoveSome(connection, old, next, [.. doomed.Select(d => d.Person)], ct))
        {
            // Portion after portion.
        }

        points.Pass("after-moves");
        await Delete(connection, next, doomed, ct);
        points.Pass("before-destroy");
        while (await MoveSome(connection, old, next, [], ct))
        {
            // Whoever was spared survives like the others.
        }

        // What cannot be undone comes last but one, after every survivor has left the old master.
        if (await token.Find(PersonKeys.Master(old), ct) is not null)
        {
            await token.Destroy(PersonKeys.Master(old), ct);
        }

        points.Pass("after-destroy");
        await Record(connection, old, doomed, ct);
    }

    private async Task Succeed(NpgsqlConnection connection, int old, CancellationToken ct)
    {
        _ = await token.FindOrGenerate(PersonKeys.Master(old + 1), KeyAlgorithm.Aes256, ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        if (await tx.Sql(Retire).With(old).Execute(ct) != 1)
        {
            throw new InvalidOperationException($"Master {old} is no longer active.");
        }

        await tx.Sql(Bind).With(old).Execute(ct);
        await tx.Sql(Activate).With(old + 1).With(clock.GetUtcNow()).Execute(ct);
        await tx.CommitAsync(ct);
    }

    private async Task<bool> MoveSome(NpgsqlConnection connection, int old, int next, byte[][] doomed, CancellationToken ct)
    {
        var some = await connection.Sql(SelectSurvivors).With(old).With(doomed).All(r => (Person: r.GetFieldValue<byte[]>(0), Wrapped: r.GetFieldValue<byte[]>(1)), ct);
        foreach (var (person, wrapped) in some)
        {
            var key = await token.Decrypt(PersonKeys.Master(old), wrapped, person, ct);
            try
            {
                await connection.Sql(Move).With(await token.Encrypt(PersonKeys.Master(next), key, person, ct)).With(next).With(person).With(old).Execute(ct);
            }
            finally
            {
                CryptographicOperations.ZeroMemory(key);
            }
        }

        return some.Count == Batch;
    }

    // The last moment at which anybody can be spared: the moves take long, and a record or a hold may have come meanwhile. One person after the other, so
    // that whoever writes about one does not wait for the look at the others.
    private async Task Delete(NpgsqlConnection connection, int next, List<Doomed> doomed, CancellationToken ct)
    {
        foreach (var d in doomed)
        {
            await using var tx = await connection.BeginTransactionAsync(ct);
            // A key that went before a crash: too late for what has come since.
            var isGone = await tx.Sql(LockKey).With(d.Person).Scalar<bool>(ct);
            var judged = isGone ? new PersonShreddingAnswer(Asked, null) : await Judge(tx, d.Person, ct);
            await (judged.State is Asked ? Destroy(tx, next, d, ct) : Spare(tx, d, judged, ct));
            await tx.CommitAsync(ct);
            if (judged.State is Asked)
            {
                keys.Forget(d.Person);
            }
        }
    }

    private async Task Destroy(NpgsqlTransaction tx, int next, Doomed d, CancellationToken ct)
    {
        var had = await tx.Sql(CloseKey).With(d.Person).With(service.Region).With(next).Execute(ct) + await tx.Sql(DeleteKey).With(d.Person).Execute(ct);
        await rules.Erase(tx, d.Person, ct);
        if (had > 0)
        {
            await Append(tx, d, "key-deleted", ct);
        }
    }

    private async Task Spare(NpgsqlTransaction tx, Doomed d, PersonShreddingAnswer judged, CancellationToken ct) => await (judged.State is Held
        ? tx.Sql(ForgetHeld).With(d.Id)
        : tx.Sql(MarkKept).With(d.Id).With(judged.KeptUntil).With(clock.GetUtcNow())).Execute(ct);

    private async Task Record(NpgsqlConnection connection, int old, List<Doomed> doomed, CancellationToken ct)
    {
        await using var tx = await connection.BeginTransactionAsync(ct);
        await tx.Sql(MarkMaster).With(old).With(clock.GetUtcNow()).Execute(ct);
        foreach (var d in doomed)
        {
            if (await tx.Sql(MarkShredded).With(d.Id).With(clock.GetUtcNow()).With(old).Execute(ct) == 1)
            {
                await Append(tx, d, "shredded", ct);
            }
        }

        await tx.CommitAsync(ct);
    }

    private async Task Append(NpgsqlTransaction tx, Doomed d, string reason, CancellationToken ct)
    {
        var e = new AuditEvent
        {
            Action = "KEY.destroy", Actor = new Actor(rules.Service), Subjects = [SubjectKey.Patient(d.Person)], Outcome = EventOutcome.Success, Reason = reason,
            Correlation = d.Id.ToString("D", CultureInfo.InvariantCulture),
        };
        if (await outbox.Append(tx, e, ct) is AppendOutcome.Refused(var why))
        {
            throw new InvalidOperationException("The event of a destroyed key was refused: " + why.Code);
        }
    }

    private sealed record Doomed(Guid Id, byte[] Person);

    private sealed record Stored(byte[] Person, string State, DateTimeOffset? KeptUntil);
}

/// <summary>The ledger asks that a person be shredded.</summary>
/// <param name="Subject">The person's ledger key: 64 lower-case hexadecimal digits.</param>
public sealed record PersonShreddingRequest([property: JsonPropertyName("subject")] string Subject);

/// <summary>Where it stands here.</summary>
/// <param name="State"><c>asked</c>: it is carried out, or still answered <c>kept</c> or <c>held</c> for what has come meanwhile; <c>destroyed</c>; <c>kept</c>: records have to be kept, and nothing was
/// touched; or <c>held</c>: a legal hold lies on some, ask again.</param>
/// <param name="KeptUntil">First instant at which they need not be kept.</param>
public sealed record PersonShreddingAnswer(
    [property: JsonPropertyName("state")] string State, [property: JsonPropertyName("keptUntil")] DateTimeOffset? KeptUntil);
