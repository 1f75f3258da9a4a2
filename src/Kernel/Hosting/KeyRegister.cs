using System.Security.Cryptography;
using Microsoft.Extensions.DependencyInjection;
using Trust.Crypto.Asn1;
using Trust.Kernel.Audit;
using Trust.Kernel.Postgres;
using Trust.LogFormat;
using Trust.Pkcs11;

namespace Trust.Kernel.Hosting;

/// <summary>A key of the service's token that others rely on.</summary>
/// <param name="Ref">Its name.</param>
public sealed record RegisteredKey(KeyRef Ref);

/// <summary>A certificate that is put into a folder of the service by hand or by a ceremony.</summary>
/// <param name="Use">What it is for, as a code.</param>
/// <param name="Now">The one in use; null while there is none.</param>
public sealed record InstalledCertificate(string Use, Func<Certificate?> Now);

/// <summary>
/// Tells the ledger of each key and certificate once, when the service first sees it in use: <c>KEY.generate</c> with the hash of the public key, <c>KEY.activate</c>
/// with the certificate's. Set-up makes keys before there is a ledger, and an operator may replace a file or a key under its name; row and event are one
/// transaction, so neither is missed nor told twice.
/// </summary>
public sealed class KeyRegister(
    IToken token, Outbox outbox, ServiceDefinition service, IEnumerable<RegisteredKey> keys, IEnumerable<InstalledCertificate> certificates, TimeProvider clock)
{
    /// <summary>From one look to the next.</summary>
    public static readonly TimeSpan Pause = TimeSpan.FromMinutes(1);

    private const string Insert = """
        WITH act AS (INSERT INTO key_register (label, sha256, seen_at) VALUES ($6, $7, $8) ON CONFLICT DO NOTHING RETURNING 1)
        """ + Outbox.Trace;

    private readonly HashSet<(string Label, string Sha256)> _told = [];

    /// <summary>Tells of what is new.</summary>
    public async Task Round(CancellationToken ct)
    {
        foreach (var key in keys.Select(k => k.Ref).Distinct())
        {
            if (await token.Find(key, ct) is { } held)
            {
                var spki = held.SubjectPublicKeyInfo;
                await Tell("KEY.generate", key.Label, spki.IsEmpty ? [] : SHA256.HashData(spki.Span), SubjectKey.Of("key", key.Label));
            }
        }

        foreach (var certificate in certificates)
        {
            if (certificate.Now() is { } installed)
            {
                await Tell("KEY.activate", certificate.Use, Convert.FromHexString(installed.Sha256Hex), SubjectKey.Certificate(installed.Sha256Hex));
            }
        }
    }

    private async Task Tell(string action, string label, byte[] sha256, SubjectKey subject)
    {
        var hex = Convert.ToHexStringLower(sha256);
        if (_told.Contains((label, hex)))
        {
            return;
        }

        var told = await outbox.Commit(
            new AuditEvent
            {
                Action = action, Actor = new Actor(service.Name), Subjects = [subject], Outcome = EventOutcome.Success, Class = "KEY", Reason = label,
                Basis = hex.Length == 0 ? "secret-key" : "sha256:" + hex,
            },
            Insert, c => c.With(label).With(sha256).With(clock.GetUtcNow()));
        if (told is not CommitOutcome.Refused)
        {
            _told.Add((label, hex));
        }
    }
}

/// <summary>Registers keys and certificates.</summary>
public static class KeyRegisterServices
{
    /// <summary>Has the ledger told of these keys of the service's token, and of the key that signs its batches.</summary>
    public static IServiceCollection AddKeyRegister(this IServiceCollection services, params ReadOnlySpan<KeyRef> keys)
    {
        foreach (var key in keys)
        {
            services.AddSingleton(new RegisteredKey(key));
        }

        return services.AddSingleton(p => new RegisteredKey(p.GetRequiredService<AuditOptions>().BatchKey))
            .AddSingleton<KeyRegister>().AddLoop<KeyRegister>("key-register", KeyRegister.Pause, (register, ct) => register.Round(ct));
    }
}
