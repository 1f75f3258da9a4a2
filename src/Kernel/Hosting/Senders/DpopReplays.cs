using Npgsql;
using Trust.Kernel.Postgres;

namespace Trust.Kernel.Hosting.Senders;

/// <summary>Proofs that were accepted, for as long as they could be sent again (RFC 9449 11.1); all instances of a service share them.</summary>
public sealed class DpopReplays(NpgsqlDataSource db, GroupCommit commits, TimeProvider clock)
{
    /// <summary>Between two sweeps of what can be forgotten.</summary>
    public static readonly TimeSpan Pause = TimeSpan.FromMinutes(5);

    private const string Remember = "INSERT INTO dpop_proofs (mark, forget_at) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    private const string Forget = "DELETE FROM dpop_proofs WHERE mark IN (SELECT mark FROM dpop_proofs WHERE forget_at < $1 LIMIT 10000)";

    /// <summary>Keeps a proof; false when it was there.</summary>
    public async ValueTask<bool> IsFirst(DpopProof proof, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(proof);
        return await commits.Execute(GroupCommit.Sql(Remember).With(proof.Mark).With(proof.Forgettable)).WaitAsync(ct) == 1;
    }

    /// <summary>Deletes what is too old to be accepted.</summary>
    public async Task Sweep(CancellationToken ct)
    {
        while (await db.Sql(Forget).With(clock.GetUtcNow()).Execute(ct) > 0)
        {
        }
    }
}
