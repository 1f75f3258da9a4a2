using Npgsql;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Postgres;
using Trust.LogFormat;

namespace Trust.Kernel.Residency;

/// <summary>
/// Looks for newer declarations and for ends that came, and tells the ledger: once a start by which declaration the service runs
/// (<c>ADMIN.config</c>, <c>started</c>), each new declaration (<c>RES.place</c>), each place that is refused (<c>RES.deny</c>).
/// </summary>
public sealed class ResidencyWatch(ResidencyGate gate, ServiceDefinition service, IServiceProvider services)
{
    private readonly Outbox? _outbox = services.GetService(typeof(Outbox)) as Outbox;
    private readonly NpgsqlDataSource? _db = services.GetService(typeof(NpgsqlDataSource)) as NpgsqlDataSource;
    private readonly DeclarationSource? _source = services.GetService(typeof(DeclarationSource)) as DeclarationSource;
    // What a newer declaration does not allow any more; what it allows beyond is the owner's to put in, by migrate.
    private const string Narrow = "DELETE FROM storable_regions WHERE NOT code = ANY ($1)";

    private string? _told;

    /// <summary>One look at what is here: the files, and the process's own places.</summary>
    public async Task Round(CancellationToken ct)
    {
        try
        {
            await gate.Look(ct);
        }
        finally
        {
            await Tell(ct);
        }
    }

    /// <summary>Asks who keeps declarations for a newer one: in a loop of its own, because who is away answers late.</summary>
    public Task Ask(CancellationToken ct) => _source is null ? Task.CompletedTask : gate.Ask(_source, ct);

    private async Task Tell(CancellationToken ct)
    {
        var terms = gate.Terms;
        if (_outbox is null || _db is null)
        {
            return;
        }

        if (gate.IsClosedBy(PlaceKind.Database))
        {
            // Nothing more is written into a database that is out of order; what else is refused is told all the same, as long as that is not it.
            _db.Clear();
            return;
        }

        // Each time: whatever migrates meanwhile may have put back what the declaration takes out, and codes end by the day.
        await _db.Sql(Narrow).With(gate.Storable().ToArray()).Execute(ct);
        if (_told != terms.Sha256)
        {
            var first = _told is null;
            if (await Append(first ? "ADMIN.config" : "RES.place", first ? "started" : "declaration-in-force", SubjectKey.Of("declaration", terms.Sha256), EventOutcome.Success, terms, ct))
            {
                _told = terms.Sha256;
            }
        }

        while (gate.Unrecorded.TryPeek(out var refusal) && await Append("RES.deny", refusal.Rule, SubjectKey.Of("place", refusal.Place), EventOutcome.Refused, terms, ct))
        {
            gate.Unrecorded.TryDequeue(out _);
        }
    }

    private async Task<bool> Append(string action, string reason, SubjectKey subject, string outcome, ResidencyTerms terms, CancellationToken ct)
    {
        await using var connection = await _db!.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        var appended = await _outbox!.Append(
            tx,
            new AuditEvent
            {
                Action = action, Actor = new Actor(service.Name), Subjects = [subject], Outcome = outcome, Reason = reason, RuleVersion = terms.Version, Basis = "residency:sha256:" + terms.Sha256,
            }, ct);
        await tx.CommitAsync(ct);
        return appended is AppendOutcome.Appended;
    }
}
