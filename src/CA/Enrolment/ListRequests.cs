using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Trust.CA.Officers;
using Trust.CA.Registry;
using Trust.Kernel.Hosting;
using Trust.LogFormat;

namespace Trust.CA.Enrolment;

/// <summary><c>GET /certificate-requests</c>: what waits for approval, or what became of it, oldest first, a page at a time.</summary>
internal sealed class ListRequests(RequestStore requests, RegistryReaders readers, TimeProvider clock)
{
    /// <summary>Lists those of one state, or all.</summary>
    public async Task<Results<Ok<IReadOnlyList<RequestSummary>>, Refusal>> Handle(HttpContext context, string? state, string? after, int? limit, CancellationToken ct)
    {
        if (state is not (null or "pending" or "issuing" or "issued" or "refused"))
        {
            return CaRefusals.UnknownRequestState;
        }

        // One event names everyone whom one answer shows.
        if (Page.Of(after, limit, EventBody.MaxSubjects) is not { } page)
        {
            return CommonRefusals.MalformedPage;
        }

        var rows = page.Take(context, await requests.List(state, page, clock.GetUtcNow(), ct), r => new Cursor(r.RequestedAt, r.Id));
        return await readers.Confirm(ShowRequest.Viewed(context.Officer(), "certificate-requests", rows.Select(r => r.Holder)), ct) is { } refusal
            ? refusal : TypedResults.Ok<IReadOnlyList<RequestSummary>>([.. rows.Select(RequestStates.Summarize)]);
    }
}
