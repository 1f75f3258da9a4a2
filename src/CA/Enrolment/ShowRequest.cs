using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Trust.Kernel.Hosting;

namespace Trust.CA.Enrolment;

/// <summary><c>GET /certificate-requests/{id}</c>: everything that an approval covers, and where the request stands.</summary>
internal sealed class ShowRequest(RequestStore requests, RequestStates states)
{
    /// <summary>Shows.</summary>
    public async Task<Results<Ok<RequestState>, Refusal>> Handle(Guid id, CancellationToken ct) =>
        await requests.Find(id, ct) is { } request
            ? TypedResults.Ok(await states.Describe(request, ct) with { Content = await states.Show(request, ct) })
            : CaRefusals.UnknownRequest;
}
