using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Trust.CA.Certificates;
using Trust.CA.Officers;
using Trust.CA.Registry;
using Trust.Kernel.Hosting;
using Trust.LogFormat;

namespace Trust.CA.Enrolment;

/// <summary><c>GET /certificate-requests/{id}</c>: everything that an approval covers, and where the request stands.</summary>
internal sealed class ShowRequest(RequestStore requests, RequestStates states, RegistryReaders readers)
{
    /// <summary>Shows; the ledger has confirmed who looks before the answer leaves.</summary>
    public async Task<Results<Ok<RequestState>, Refusal>> Handle(HttpContext context, Guid id, CancellationToken ct)
    {
        if (await requests.Find(id, ct) is not { } request)
        {
            return CaRefusals.UnknownRequest;
        }

        var state = await states.Describe(request, ct) with { Content = await states.Show(request, ct) };
        return await readers.Confirm(Viewed(context.Officer(), "certificate-request", [request.Holder]) with { Correlation = id.ToString() }, ct) is { } refusal
            ? refusal : TypedResults.Ok(state);
    }

    /// <summary>The event of an officer who looks at requests.</summary>
    /// <param name="officer">Who.</param>
    /// <param name="what">At what, as a code.</param>
    /// <param name="holders">Whose requests; at most <see cref="EventBody.MaxSubjects"/>.</param>
    internal static AuditEvent Viewed(Officer officer, string what, IEnumerable<string> holders) => new()
    {
        Action = "REG.query",
        Actor = officer.Actor,
        Subjects = [.. holders.Distinct(StringComparer.Ordinal).SelectMany(holder => CertificateEvents.Subjects(holder, null, null))],
        Outcome = EventOutcome.Success,
        Reason = what,
    };
}
