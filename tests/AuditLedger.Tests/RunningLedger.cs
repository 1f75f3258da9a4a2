using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Trust.AuditLedger.Entries;
using Trust.TestKit;

namespace Trust.AuditLedger.Tests;

/// <summary>A ledger process inside the test process.</summary>
internal sealed class RunningLedger(WebApplication app, Uri address) : IAsyncDisposable
{
    public Uri Address => address;

    public WebApplication App => app;

    public Sequencer Sequencer => app.Services.GetRequiredService<Sequencer>();

    /// <summary>Why it refuses to sign; null while it has not refused.</summary>
    public string? SetBack => (Sequencer.ExecuteTask?.Exception?.InnerException as SetBackException)?.Message;

    public Task Leads() => Eventually.Holds(() => Sequencer.NotLeading is null, "the ledger leads");

    public async ValueTask DisposeAsync()
    {
        await app.StopAsync();
        await app.DisposeAsync();
    }
}
