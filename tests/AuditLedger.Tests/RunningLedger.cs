using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Trust.AuditLedger.Entries;
using Trust.AuditLedger.Fsck;
using Trust.AuditLedger.Shredding;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.Kernel.Residency;
using Trust.TestKit;

namespace Trust.AuditLedger.Tests;

/// <summary>A ledger process inside the test process.</summary>
internal sealed class RunningLedger(WebApplication app, Uri address) : IAsyncDisposable
{
    public Uri Address => address;

    public WebApplication App => app;

    public Sequencer Sequencer => app.Services.GetRequiredService<Sequencer>();

    /// <summary>Why it refuses to sign; null while it has not refused.</summary>
    public string? SetBack => app.Services.GetRequiredService<ProcessEnd>().Code == 3 ? Sequencer.NotLeading : null;

    public Task Leads() => Eventually.Holds(() => Sequencer.NotLeading is null, "the ledger leads");

    /// <summary>Checks its whole log.</summary>
    public Task<CheckReport> Check() => FsckCommand.Check(app.Services, null, default);

    /// <summary>Repairs what a check found, as the owner's role.</summary>
    public Task<List<Fault>> Repair(CheckReport report, NpgsqlDataSource owner)
    {
        var services = app.Services;
        return new LogRepair(
            owner, services.GetRequiredService<NpgsqlDataSource>(), services.GetRequiredService<Mirror>(), services.GetRequiredService<Outbound>(),
            services.GetRequiredService<Sources>(), services.GetRequiredService<Outbox>(), services.GetRequiredService<SubjectKeyVault>()).Run(report, default);
    }

    public async ValueTask DisposeAsync()
    {
        await app.StopAsync();
        await app.DisposeAsync();
    }
}
