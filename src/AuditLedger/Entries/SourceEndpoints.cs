using System.Buffers;
using Microsoft.AspNetCore.Http.HttpResults;
using Trust.Kernel.Audit;
using Trust.Kernel.Hosting;
using Trust.LogFormat;

namespace Trust.AuditLedger.Entries;

/// <summary><c>GET /sources/{name}/head</c> and <c>POST /sources/{name}/epochs</c>: a source asks for its own chain, and takes over.</summary>
internal static class SourceEndpoints
{
    public static void Map(WebApplication app, IReadOnlyList<string> sources)
    {
        app.MapGet("/sources/{name}/head", Head).RequirePeer([.. sources]);
        app.MapPost("/sources/{name}/epochs", Open).RequirePeer([.. sources]);
    }

    private static Results<Ok<SourceHead>, ProblemHttpResult> Head(string name, HttpContext context, Sequencer sequencer, ProblemSet problems)
    {
        if (!string.Equals(context.Peer(), name, StringComparison.Ordinal))
        {
            return problems.Of("not-own-source", 403, "A service may ask for its own head only.");
        }

        return sequencer.HeadOf(name) is { } head ? TypedResults.Ok(head) : SubmitRefusal.Standby.ToProblem(problems, context);
    }

    private static async Task<Results<Ok<SourceHead>, ProblemHttpResult>> Open(
        string name, OpenEpochRequest request, HttpContext context, Sequencer sequencer, ProblemSet problems)
    {
        if (!string.Equals(context.Peer(), name, StringComparison.Ordinal))
        {
            return problems.Of("not-own-source", 403, "A service may open an epoch of its own only.");
        }

        var hash = new byte[Envelope.HashSize];
        if (request.Hash.Length != 2 * Envelope.HashSize
            || Convert.FromHexString(request.Hash, hash, out _, out _) != OperationStatus.Done)
        {
            return problems.Of("malformed-hash", 400, "The head's hash is 64 hexadecimal digits.");
        }

        return await sequencer.Submit(new Submission.OpenEpoch(name, hash)) switch
        {
            SubmitOutcome.Opened(var head) => TypedResults.Ok(head),
            SubmitOutcome.Refused(var why) => why.ToProblem(problems, context),
            var other => throw new InvalidOperationException($"The opening of an epoch was answered {other}."),
        };
    }
}
