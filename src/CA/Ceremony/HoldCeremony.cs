using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Trust.CA.Revocation;
using Trust.Crypto.Json;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Postgres;
using Trust.Kernel.Residency;
using Trust.LogFormat;
using Trust.Pkcs11;

namespace Trust.CA.Ceremony;

/// <summary>
/// The verb <c>ceremony --config FILE --file FILE [--root-token-pin-file FILE] [--check]</c>: judges the whole file first, then makes roots and issuing CAs, enrols the officers from
/// requests made on their cards, and then closes that path. The same file again makes nothing new and writes the same output; an
/// interrupted ceremony goes on where it stopped; another file is refused.
/// </summary>
public static class HoldCeremony
{
    // A file from which no key was made yet binds nothing.
    private const string Begin = """
        INSERT INTO ceremony (file_sha256) VALUES ($1)
        ON CONFLICT ("only") DO UPDATE SET file_sha256 = $1 WHERE ceremony.transcript IS NULL AND NOT EXISTS (SELECT 1 FROM issuers)
        """;
    private const string Held = "SELECT file_sha256, transcript FROM ceremony";
    private const string Close = "UPDATE ceremony SET transcript = $1, closed_at = $2 WHERE closed_at IS NULL";
    /// <summary>How long a root's list may be relied on: the root token is offline until the next one.</summary>
    internal static readonly TimeSpan RootListLifetime = TimeSpan.FromDays(365);
    private static readonly JsonLimits Limits = new(64 * 1024);

    /// <summary>Runs the verb.</summary>
    public static async Task<int> RunVerb(WebApplication app, string[] args, CancellationToken ct)
    {
        try
        {
            var path = ServiceHost.Argument(args, "--file") ?? throw new CeremonyException("Name the reviewed file: --file FILE.");
            if (args.Contains("--check", StringComparer.Ordinal))
            {
                await Check(app.Services, Parse(await File.ReadAllBytesAsync(path, ct)), path, ct);
                Console.WriteLine("The ceremony can be held from this file. Nothing was made.");
                return 0;
            }

            await Hold(app.Services, path, ServiceHost.Argument(args, "--root-token-pin-file"), ct);
            return 0;
        }
        catch (Exception e) when (e is CeremonyException or TokenException or IOException or UnauthorizedAccessException)
        {
            await Console.Error.WriteLineAsync("The ceremony stops: " + e.Message);
            return 3;
        }
    }

    /// <summary>Holds or replays the ceremony.</summary>
    /// <exception cref="CeremonyException">The file is malformed, another than the one held, or a request in it is refused.</exception>
    public static async Task Hold(IServiceProvider services, string path, string? rootPinFile, CancellationToken ct)
    {
        var bytes = await File.ReadAllBytesAsync(path, ct);
        var file = Parse(bytes);
        var fileSha256 = SHA256.HashData(bytes);
        var db = services.GetRequiredService<NpgsqlDataSource>();
        if (await db.Sql(Held).One(r => new State(r.GetFieldValue<byte[]>(0), r.Nullable<byte[]>(1)), ct) is not { Transcript: not null })
        {
            await Check(services, file, path, ct);
        }

        await db.Sql(Begin).With(fileSha256).Execute(ct);
        var held = await db.Sql(Held).One(r => new State(r.GetFieldValue<byte[]>(0), r.Nullable<byte[]>(1)), ct)
            ?? throw new CeremonyException("The ceremony's row vanished.");
        if (!held.FileSha256.AsSpan().SequenceEqual(fileSha256))
        {
            throw new CeremonyException("A ceremony was held from another file: only that very file can be replayed.");
        }

        var directory = Path.GetDirectoryName(Path.GetFullPath(path))!;
        var officers = ActivatorUtilities.CreateInstance<EnrolFirstHolders>(services, directory, held.Transcript is not null);
        var authorities = ActivatorUtilities.CreateInstance<MakeAuthorities>(services);
        List<TranscriptAuthority> made;
        if (held.Transcript is null)
        {
            await using var root = await OpenRoot(services, rootPinFile, ct);
            made = await authorities.MakeMissing(root, file.Organization, ct);
        }
        else
        {
            made = [.. JsonSerializer.Deserialize(held.Transcript, CaJson.Default.Transcript)!.Authorities];
        }

        var certificates = await officers.Enrol(file, ct);
        var transcript = held.Transcript ?? await CloseWith(services, db, new Transcript(
            1, Convert.ToHexStringLower(fileSha256), Microseconds.Truncate(services.GetRequiredService<TimeProvider>().GetUtcNow()), made, certificates), ct);
        await ActivatorUtilities.CreateInstance<PublishCeremony>(services, directory).Write(file, transcript, ct);
    }

    private static async Task Check(IServiceProvider services, CeremonyFile file, string path, CancellationToken ct)
    {
        var check = new CheckCeremony(services.GetRequiredService<Certificates.ProfileSet>(), services.GetRequiredService<TimeProvider>(), Path.GetDirectoryName(Path.GetFullPath(path))!);
        if (await check.Judge(file, ct) is { Count: > 0 } faults)
        {
            throw new CeremonyException("nothing was made, because the file cannot be held:\n  " + string.Join("\n  ", faults));
        }
    }

    private static CeremonyFile Parse(byte[] bytes)
    {
        if (!StrictJson.TryParse(bytes, Limits, out var element, out var refusal))
        {
            throw new CeremonyException($"The file is not strict JSON: {refusal.Reason} at byte {refusal.Offset}.");
        }

        try
        {
            var file = JsonSerializer.Deserialize(element, CaJson.Default.CeremonyFile) ?? throw new CeremonyException("The file is null.");
            return file is { Version: 1, Officers.Count: >= 3 }
                ? file
                : throw new CeremonyException("The file needs version 1 and at least three officers.");
        }
        catch (JsonException e)
        {
            throw new CeremonyException($"A member is missing, unknown or of the wrong kind at {e.Path}.");
        }
    }

    // Behind the gate as every token is: the root's keys are born here, or not at all.
    private static async ValueTask<IToken> OpenRoot(IServiceProvider services, string? pinFile, CancellationToken ct)
    {
        var (options, configuration) = (services.GetRequiredService<CaOptions>(), services.GetRequiredService<IConfiguration>());
        var token = await Pkcs11Token.Open(
            Configured(services) with
            {
                TokenLabel = options.RootTokenLabel,
                PinFile = pinFile ?? options.RootTokenPinFile ?? throw new CeremonyException("Name the root token's PIN file: --root-token-pin-file FILE."),
                Sessions = 1,
            },
            ct);
        return services.GetRequiredService<ResidencyGate>().Around(token, UsedPlace.Token(options.RootTokenLabel, UsedPlace.RegionOfToken(configuration), essential: false));
    }

    private static TokenOptions Configured(IServiceProvider services) =>
        services.GetRequiredService<IConfiguration>().GetSection("Token").Get<TokenOptions>()
            ?? throw new CeremonyException("Configuration section Token is missing.");

    // The first event of all: the ledger takes nothing before it. The certificates' own events follow in the same transaction.
    private static async Task<byte[]> CloseWith(IServiceProvider services, NpgsqlDataSource db, Transcript transcript, CancellationToken ct)
    {
        var bytes = CanonicalJson.Encode(JsonSerializer.SerializeToElement(transcript, CaJson.Default.Transcript));
        var outbox = services.GetRequiredService<Outbox>();
        await using var connection = await db.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        await tx.Sql(Close).With(bytes).With(transcript.HeldAt).Execute(ct);
        await Append(outbox, tx, new AuditEvent
        {
            Action = "KEY.generate",
            Actor = new Actor("ca"),
            Subjects = [.. transcript.Authorities.Select(a => SubjectKey.Certificate(a.Sha256))],
            Outcome = EventOutcome.Success,
            Basis = $"ceremony:sha256:{Convert.ToHexStringLower(SHA256.HashData(bytes))}",
            Correlation = transcript.FileSha256,
        }, ct);
        foreach (var certificate in transcript.Certificates)
        {
            await Append(outbox, tx, new AuditEvent
            {
                Action = "CERT.issue",
                Actor = new Actor("ca"),
                Subjects = Certificates.CertificateEvents.Subjects(certificate.Holder, null, certificate.Sha256),
                Outcome = EventOutcome.Success,
                Reason = certificate.Profile,
                Correlation = transcript.FileSha256,
            }, ct);
        }

        await tx.CommitAsync(CancellationToken.None);
        return bytes;
    }

    private static async Task Append(Outbox outbox, NpgsqlTransaction tx, AuditEvent e, CancellationToken ct)
    {
        if (await outbox.Append(tx, e, ct) is AppendOutcome.Refused refused)
        {
            throw new CeremonyException($"The event {e.Action} was refused: {refused.Reason.Code} {refused.Reason.Detail}");
        }
    }

    private sealed record State(byte[] FileSha256, byte[]? Transcript);
}
