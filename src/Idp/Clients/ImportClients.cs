using System.ComponentModel.DataAnnotations;
using System.Security.Cryptography;
using System.Text.Json;
using Npgsql;
using Trust.Crypto.Json;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.LogFormat;
using Trust.Kernel.Residency;

namespace Trust.Idp.Clients;

/// <summary>
/// <c>import-clients --file FILE</c>: registers the clients of a reviewed file. Whoever can run it can already change the
/// database, so there is no endpoint to attack; every import is an <c>ADMIN.config</c> event.
/// </summary>
internal static class ImportClients
{
    public static async Task<int> Run(WebApplication app, string[] args, CancellationToken ct)
    {
        var file = ServiceHost.Argument(args, "--file") ?? throw new ValidationException("Name the file: --file FILE.");
        var clients = ClientFile.Parse(await File.ReadAllBytesAsync(file, ct));
        await using var connection = await app.Services.GetRequiredService<NpgsqlDataSource>().OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        var outbox = app.Services.GetRequiredService<Outbox>();
        var (residency, today) = (app.Services.GetRequiredService<ResidencyGate>(), ResidencyTerms.DayOf(app.Services.GetRequiredService<TimeProvider>().GetUtcNow()));
        if (clients.FirstOrDefault(c => !residency.Terms.Regions.IsInside(c.Region, today)) is { } outside)
        {
            // A client's region says where its callers are; one of outside would be given data by every token.
            throw new ValidationException($"Client {outside.Id} is registered in region {outside.Region}, which is not a listed region inside the mainland.");
        }

        var addresses = app.Services.GetRequiredService<RegisteredAddresses>();
        foreach (var client in clients)
        {
            if (await addresses.Broken(client, ct) is { } rule)
            {
                throw new ValidationException($"Client {client.Id}: {rule}");
            }

            await ClientStore.Put(tx, client, ct);
            var traced = await outbox.Append(tx, new AuditEvent
            {
                Action = "ADMIN.config", Actor = new Actor("operator"), Outcome = EventOutcome.Success, Subjects = [SubjectKey.Of("client", client.Id)], Basis = Basis(client),
                Reason = client.Enabled ? "registered" : "disabled",
            }, ct);
            if (traced is AppendOutcome.Refused refused)
            {
                await Console.Error.WriteLineAsync($"Nothing was registered: {refused.Reason.Detail}");
                return 1;
            }
        }

        await tx.CommitAsync(ct);
        Console.WriteLine($"{clients.Count} clients registered.");
        return 0;
    }

    // What was registered, so that the ledger can show it: the hash of the client's canonical JSON.
    internal static string Basis(Client client) =>
        "client:sha256:" + Convert.ToHexStringLower(SHA256.HashData(CanonicalJson.Encode(JsonSerializer.SerializeToElement(client, IdpJson.Default.Client))));
}
