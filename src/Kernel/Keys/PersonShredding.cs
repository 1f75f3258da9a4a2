using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Postgres;
using Trust.LogFormat;
using Trust.Pkcs11;

namespace Trust.Kernel.Keys;

/// <summary>What a service of its own adds to a shredding.</summary>
/// <param name="Service">Its name, the actor of the event.</param>
/// <param name="KeptUntil">Until when records of the person have to be kept; null when none has. In the transaction that takes the request on.</param>
/// <param name="Concerned">What else records of the person concern: a legal hold on any of it keeps them.</param>
/// <param name="Erase">Takes away what is not sealed under the person's key; in the transaction that deletes the key. Repeatable.</param>
public sealed record ShreddingRules(
    string Service, Func<NpgsqlTransaction, byte[], CancellationToken, Task<DateTimeOffset?>> KeptUntil,
    Func<NpgsqlTransaction, byte[], CancellationToken, Task<List<SubjectKey>>> Concerned, Func<NpgsqlTransaction, byte[], CancellationToken, Task> Erase);

/// <summary>The named instants between a shredding's durable steps: <c>after-new-master</c>, <c>after-moves</c>, <c>before-destroy</c>, <c>after-destroy</c>.</summary>
public sealed class ShreddingPoints
{
    /// <summary>Called at each point with its name; null in service.</summary>
    public Action<string>? Reached { get; set; }

    internal void Pass(string name) => Reached?.Invoke(name);
}

/// <summary>
/// Shreds persons for the ledger, where two records officers decided it and holds are kept. The request is stored under the ledger's identifier of it
/// before anything is done, and answered with where it stands, however often it is sent. Carried out by a new master: every other person's key moves
/// to it, the doomed keys are deleted, and the token destroys the old master. Each step can be repeated; one process at a time.
/// </summary>
public sealed class PersonShredding(
    NpgsqlDataSource db, IToken token, PersonKeys keys, ShreddingRules rules, HoldQuestion holds, Outbox outbox, ServiceOptions service, ShreddingPoints points, TimeProvider clock)
    : IDisposable
{
    /// <summary>Longest time until requests are looked for again.</summary>
    public static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(30);

    private const int Batch = 500;

    private const string Insert = """
        INSERT INTO person_shreddings (id, person, state, asked_at, kept_until, answered_at) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO NOTHING
        """;

    private const string Select = "SELECT person, state, kept_until FROM person_shreddings WHERE id = $1";
    private const string TryLock = "SELECT pg_try_advisory_lock(hashtextextended('trust.person-shredding.' || current_schema(), 0))";
    private const string Unlock = "SELECT pg_advisory_unlock_all()";
    private const string CountOpen = "SELECT count(*) FROM person_shreddings WHERE state = 'asked'";
    private const string SelectMaster = "SELECT number FROM person_masters WHERE state = $1";
    private const string Retire = "UPDATE person_masters SET state = 'retiring' WHERE state = 'active' AND number = $1";
    private const string Bind = "UPDATE person_shreddings SET master = $1 WHERE state = 'asked' AND master IS NULL";
    private const string Activate = "INSERT INTO person_masters (number, state, created_at) VALUES ($1, 'active', $2)";
    private const string SelectDoomed = "SELECT id, person FROM person_shreddings WHERE state = 'asked' AND master = $1";

    private const string SelectSurvivors = """
        SELECT person, wrapped FROM person_keys WHERE master = $1 AND wrapped IS NOT NULL AND person <> ALL ($2) ORDER BY person LIMIT 500
        """;

    private const string Move = "UPDATE person_keys SET wrapped = $1, master = $2 WHERE person = $3 AND master = $4 AND wrapped IS NOT NULL";
    private const string DeleteKey = "UPDATE person_keys SET wrapped = NULL WHERE person = $1 AND wrapped IS NOT NULL";
    // Of a person nothing was stored of: nothing will be.
    private const string CloseKey = "INSERT INTO person_keys (person, region, master, wrapped) VALUES ($1, $2, $3, NULL) ON CONFLICT (person) DO NOTHING";
    private const string MarkMaster = "UPDATE person_masters SET state = 'destroyed', destroyed_at = $2 WHERE number = $1 AND state = 'retiring'";
    private const string MarkShredded = "UPDATE person_shreddings SET state = 'destroyed', answered_at = $2 WHERE id = $1 AND state = 'asked'";

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
            // The ledger knows the holds on the person; on a prescription or an institution it knows them too, but not that they are this person's.
            if (await rules.Concerned(tx, person, ct) is { Count: > 0 } concerned && !await AreFree(concerned, ct))
            {
                return TypedResults.Ok(new PersonShreddingAnswer("held", null));
            }

            known = await TakeOn(tx, id, person, ct);
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

    private async Task<Stored> TakeOn(NpgsqlTransaction tx, Guid id, byte[] person, CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        var until = await rules.KeptUntil(tx, person, ct) is { } end && end > now ? end : (DateTimeOffset?)null;
        await tx.Sql(Insert).With(id).With(person).With(until is null ? "asked" : "kept").With(now).With(until).With(until is null ? null : (DateTimeOffset?)now).Execute(ct);
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

    private async Task Delete(NpgsqlConnection connection, int next, List<Doomed> doomed, CancellationToken ct)
    {
        await using var tx = await connection.BeginTransactionAsync(ct);
        foreach (var d in doomed)
        {
            var had = await tx.Sql(CloseKey).With(d.Person).With(service.Region).With(next).Execute(ct) + await tx.Sql(DeleteKey).With(d.Person).Execute(ct);
            await rules.Erase(tx, d.Person, ct);
            if (had > 0)
            {
                await Append(tx, d, "key-deleted", ct);
            }
        }

        await tx.CommitAsync(ct);
        doomed.ForEach(d => keys.Forget(d.Person));
    }

    private async Task Record(NpgsqlConnection connection, int old, List<Doomed> doomed, CancellationToken ct)
    {
        await using var tx = await connection.BeginTransactionAsync(ct);
        await tx.Sql(MarkMaster).With(old).With(clock.GetUtcNow()).Execute(ct);
        foreach (var d in doomed)
        {
            if (await tx.Sql(MarkShredded).With(d.Id).With(clock.GetUtcNow()).Execute(ct) == 1)
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

/// <summary>Registers the shredding of persons.</summary>
public static class PersonShreddingServices
{
    private static readonly TimeSpan HalfHour = TimeSpan.FromMinutes(30);

    /// <summary>Adds keys of persons and what shreds them.</summary>
    public static IServiceCollection AddPersonKeys(this IServiceCollection services, ShreddingRules rules)
    {
        services.AddSingleton(rules).AddSingleton<PersonKeys>().AddSingleton<ShreddingPoints>().AddSingleton<PersonShredding>();
        return services.AddLoop<PersonShredding>(
            "person-shredding", TimeSpan.Zero, (shredding, ct) => shredding.Round(ct), (work, _) => work with { LongestPause = PersonShredding.LongestWait, Patience = HalfHour });
    }
}

/// <summary>The ledger asks that a person be shredded.</summary>
/// <param name="Subject">The person's ledger key: 64 lower-case hexadecimal digits.</param>
public sealed record PersonShreddingRequest([property: JsonPropertyName("subject")] string Subject);

/// <summary>Where it stands here.</summary>
/// <param name="State"><c>asked</c>: it is carried out; <c>destroyed</c>; <c>kept</c>: records have to be kept, and nothing was touched; or <c>held</c>: a legal hold lies on some, ask again.</param>
/// <param name="KeptUntil">First instant at which they need not be kept.</param>
public sealed record PersonShreddingAnswer(
    [property: JsonPropertyName("state")] string State, [property: JsonPropertyName("keptUntil")] DateTimeOffset? KeptUntil);
