using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Trust.Kernel.Hosting;

namespace Trust.CA.Persons;

/// <summary>Tags that another region's ca needs identifiers for.</summary>
/// <param name="Tags">32 bytes each, base64, distinct; up to 2,000.</param>
public sealed record IdentifierRequest(IReadOnlyList<byte[]> Tags);

/// <summary>The answer.</summary>
/// <param name="Persons">URNs in the order asked.</param>
public sealed record IdentifierResponse(IReadOnlyList<string> Persons);

/// <summary><c>POST /person-identifiers</c>: the identifier of each tag, the same whoever asks and however often.</summary>
internal sealed class GiveIdentifiers(PersonRegister register, TagKnownPersons known)
{
    /// <summary>Address of the route.</summary>
    public const string Path = "/person-identifiers";

    // TagKnownPersons looks again this often, in seconds, give or take.
    private const string Retry = "5";

    /// <summary>Gives.</summary>
    public async Task<Results<Ok<IdentifierResponse>, Refusal>> Handle(HttpContext context, IdentifierRequest body)
    {
        var ct = context.RequestAborted;
        if (body.Tags.Count is 0 or > EvaluateTags.Most || body.Tags.Any(t => t is not { Length: 32 }) || body.Tags.DistinctBy(Convert.ToHexString).Count() != body.Tags.Count)
        {
            return CaRefusals.MalformedTags.With("most", EvaluateTags.Most);
        }

        if (!await known.AreTagged(ct))
        {
            // Someone of ours who has no tag yet would get a second identifier.
            context.Response.Headers.RetryAfter = Retry;
            return CaRefusals.PersonsNotTagged;
        }

        return await register.For(body.Tags, null, context.Peer(), ct) switch
        {
            GiveOutcome.Given(var persons) => TypedResults.Ok(new IdentifierResponse(persons)),
            GiveOutcome.NotRecorded(var why) => CommonRefusals.From(why),
            _ => throw new InvalidOperationException("A closed set."),
        };
    }
}
