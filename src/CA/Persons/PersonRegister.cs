using Npgsql;
using Trust.Kernel.Audit;
using Trust.Kernel.Identifiers;
using Trust.Kernel.Postgres;
using Trust.LogFormat;

namespace Trust.CA.Persons;

/// <summary>What became of tags that identifiers were asked for.</summary>
internal abstract record GiveOutcome
{
    private GiveOutcome()
    {
    }

    /// <summary>Each has one.</summary>
    /// <param name="Persons">In the order of the tags.</param>
    public sealed record Given(IReadOnlyList<string> Persons) : GiveOutcome;

    /// <summary>The event was not taken, so nothing was given.</summary>
    /// <param name="Reason">Why.</param>
    public sealed record NotRecorded(AppendRefusal Reason) : GiveOutcome;
}

/// <summary>The registrar's table: one identifier a tag, for good, whoever asked first.</summary>
internal sealed class PersonRegister(NpgsqlDataSource db, Outbox outbox, TimeProvider clock)
{
    // The service itself, as who asks.
    private const string Own = "ca";

    // An event names no more subjects.
    private const int MostSubjects = 60;

    // In one order: two that ask for the same tags in another would wait for each other.
    private const string Give = """
        INSERT INTO person_identifiers (tag, person, given_to, given_at)
        SELECT tag, person, $3, $4 FROM unnest($1::bytea[], $2::text[]) AS asked (tag, person) ORDER BY tag
        ON CONFLICT (tag) DO NOTHING RETURNING person
        """;
    private const string Any = "SELECT EXISTS (SELECT 1 FROM person_identifiers)";
    private const string Find = "SELECT tag, person FROM person_identifiers WHERE tag = ANY($1)";

    /// <summary>True once any was given: from then on nobody is given one without a tag, whatever configuration says.</summary>
    public Task<bool> HasGiven(CancellationToken ct) => db.Sql(Any).Scalar<bool>(ct);

    /// <summary>Gives each tag its identifier: the one that it has, else the one that is proposed, else a new one.</summary>
    /// <param name="tags">32 bytes each, distinct.</param>
    /// <param name="proposed">By position: identifiers that people have already; null for new ones.</param>
    /// <param name="asker">Service name of who asks.</param>
    /// <param name="ct">Cancels.</param>
    public async Task<GiveOutcome> For(IReadOnlyList<byte[]> tags, IReadOnlyList<string>? proposed, string asker, CancellationToken ct)
    {
        var now = Microseconds.Truncate(clock.GetUtcNow());
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        var given = (await tx.Sql(Give).With<byte[][]>([.. tags]).With<string[]>([.. proposed ?? tags.Select(_ => PersonId.New(now).Value)]).With(asker).With(now)
            .All(r => r.GetString(0), ct)).ToHashSet(StringComparer.Ordinal);
        var known = (await tx.Sql(Find).With<byte[][]>([.. tags]).All(r => (Tag: Convert.ToHexString(r.GetFieldValue<byte[]>(0)), Person: r.GetString(1)), ct))
            .ToDictionary(k => k.Tag, k => k.Person, StringComparer.Ordinal);
        string[] persons = [.. tags.Select(t => known[Convert.ToHexString(t)])];
        // Told again is not given again; what we ask of ourselves tells nobody anything.
        var told = asker == Own ? [] : persons.Where(p => !given.Contains(p));
        foreach (var (reason, part) in given.Chunk(MostSubjects).Select(p => ("identifier-given", p)).Concat(told.Chunk(MostSubjects).Select(p => ("identifier-told", p))))
        {
            if (await outbox.Append(tx, Event(asker, reason, part), ct) is AppendOutcome.Refused refused)
            {
                return new GiveOutcome.NotRecorded(refused.Reason);
            }
        }

        await tx.CommitAsync(ct);
        return new GiveOutcome.Given(persons);
    }

    // Nobody is enrolled by it: that is an event of its own, where and when it happens.
    private static AuditEvent Event(string asker, string reason, IReadOnlyList<string> persons) => new()
    {
        Action = "ID.file",
        Actor = new Actor(asker),
        Subjects = [.. persons.Select(SubjectKey.Practitioner)],
        Outcome = EventOutcome.Success,
        Reason = reason,
    };
}
