using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Trust.CA.Registry;
using Trust.Crypto;
using Trust.Kernel.Hosting;
using Trust.LogFormat;

namespace Trust.CA.Persons;

/// <summary>What another region's ca asks to have multiplied.</summary>
/// <param name="Blinded">Blinded elements (RFC 9497 3.3.1), compressed, 33 bytes each, base64; up to 2,000.</param>
public sealed record EvaluationRequest(IReadOnlyList<byte[]> Blinded);

/// <summary>The answer.</summary>
/// <param name="Evaluated">x coordinates, 32 bytes each, base64, in the order asked.</param>
public sealed record EvaluationResponse(IReadOnlyList<byte[]> Evaluated);

/// <summary>
/// <c>POST /person-tags</c>: another region's ca has blinded elements multiplied by the key of tags. It is how a number could be tried, so each question
/// is on the ledger first, with who asked and how much.
/// </summary>
internal sealed class EvaluateTags(PersonTags tags, RegistryReaders readers)
{
    /// <summary>Address of the route.</summary>
    public const string Path = "/person-tags";

    /// <summary>Most elements of one question: as many as rows of an import.</summary>
    public const int Most = 2_000;

    /// <summary>Evaluates.</summary>
    public async Task<Results<Ok<EvaluationResponse>, Refusal>> Handle(HttpContext context, EvaluationRequest body)
    {
        var ct = context.RequestAborted;
        if (body.Blinded.Count is 0 or > Most || body.Blinded.Any(b => !ObliviousPrf.IsElement(b)))
        {
            return CaRefusals.MalformedTags.With("most", Most);
        }

        var asked = new AuditEvent
        {
            Action = "REG.query",
            Actor = new Actor(context.Peer()),
            Subjects = [SubjectKey.Of("client", context.Peer())],
            Outcome = EventOutcome.Success,
            Reason = "person-tags",
            Basis = string.Create(System.Globalization.CultureInfo.InvariantCulture, $"elements:{body.Blinded.Count}"),
        };
        if (await readers.Confirm(asked, ct) is { } refused)
        {
            return refused;
        }

        var evaluated = new List<byte[]>(body.Blinded.Count);
        foreach (var element in body.Blinded)
        {
            evaluated.Add(await tags.Evaluate(element, ct));
        }

        return TypedResults.Ok(new EvaluationResponse(evaluated));
    }
}
