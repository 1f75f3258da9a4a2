using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Postgres;
using Trust.Kernel.Residency;
using Trust.LogFormat;

namespace Trust.CA.Residency;

/// <summary>
/// The verb <c>residency --config FILE --file FILE</c>: puts a declaration into force that two officers signed elsewhere. The first one comes so, before any service
/// runs; later ones when a declaration has closed ca itself. The same file again changes nothing and writes the same output.
/// </summary>
public static class ResidencyVerb
{
    private const string Insert = """
        INSERT INTO residency_declarations (id, version, sha256, jws, proposed_by, card_sha256, proposed_at, expires_at, state, accepted_by, accepted_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $7, 'in-force', $8, $7)
        """;

    /// <summary>Runs the verb.</summary>
    public static async Task<int> RunVerb(WebApplication app, string[] args, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(app);
        var path = ServiceHost.Argument(args, "--file");
        var fault = path is null ? "name it: --file FILE." : await Accept(app.Services, await File.ReadAllBytesAsync(path, ct), ct);
        if (fault is not null)
        {
            await Console.Error.WriteLineAsync("The declaration is not accepted: " + fault);
            return 3;
        }

        return 0;
    }

    private static async Task<string?> Accept(IServiceProvider services, byte[] jws, CancellationToken ct)
    {
        var store = services.GetRequiredService<DeclarationStore>();
        var options = services.GetRequiredService<ServiceOptions>();
        if (await store.Newest(ct) is { } newest && SignedDeclaration.TryRead(newest, store.Trust(), out _) is { } kept
            && SignedDeclaration.TryRead(jws, store.Trust(), out _) is { } again && kept.Document.AsSpan().SequenceEqual(again.Document))
        {
            await Publish(options, newest, ct);
            return null;
        }

        var fault = new List<string>();
        if (await store.Read(jws, fault, ct) is not var (signed, terms))
        {
            return fault[0];
        }

        if (signed.Fault(store.Trust(), terms.Declaration.IssuedAt, ct) is { } unsigned)
        {
            return unsigned;
        }

        var people = new List<string>();
        foreach (var signer in signed.Signers)
        {
            people.Add(await store.OfficerOf(signer, ct) ?? "");
        }

        if (people.Distinct(StringComparer.Ordinal).Count() < SignedDeclaration.Officers || people.Contains("", StringComparer.Ordinal))
        {
            return "Two different officers must sign it, each by a good signature certificate.";
        }

        await Publish(options, await Keep(services, store, signed, terms, people, ct), ct);
        return null;
    }

    private static async Task<byte[]> Keep(
        IServiceProvider services, DeclarationStore store, SignedDeclaration signed, ResidencyTerms terms, List<string> people, CancellationToken ct)
    {
        var accepted = await store.Accepted(signed, ct);
        var now = Microseconds.Truncate(services.GetRequiredService<TimeProvider>().GetUtcNow());
        var id = Guid.CreateVersion7(now);
        await using var connection = await services.GetRequiredService<NpgsqlDataSource>().OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        await tx.Sql(Insert).With(id).With(terms.Declaration.Version).With(terms.Sha256).With(accepted).With(people[0]).With(signed.Signers[0].Certificate.Sha256Hex).With(now)
            .With(people[1]).Execute(ct);
        if (await services.GetRequiredService<Outbox>().Append(tx, DeclarationStore.Event(new Actor(people[1]), "residency-accepted", people[0], terms.Sha256, id), ct)
            is AppendOutcome.Refused(var why))
        {
            throw new IOException($"The event of the declaration is refused: {why}. Nothing was changed.");
        }

        await tx.CommitAsync(ct);
        return accepted;
    }

    // Written beside and renamed: a service that starts meanwhile reads the one or the other.
    private static async Task Publish(ServiceOptions options, byte[] jws, CancellationToken ct)
    {
        var file = Path.Combine(options.PublicDirectory, ResidencyGate.FileName);
        await File.WriteAllBytesAsync(file + ".next", jws, ct);
        File.Move(file + ".next", file, overwrite: true);
    }
}
