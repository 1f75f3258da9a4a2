using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Npgsql;
using Trust.Crypto;
using Trust.Kernel.Hosting;
using Trust.Kernel.Identifiers;
using Trust.Kernel.Postgres;
using Trust.Kernel.Residency;

namespace Trust.CA.Persons;

/// <summary>What became of people who need an identifier.</summary>
internal abstract record IdentifiersOutcome
{
    private IdentifiersOutcome()
    {
    }

    /// <summary>Each has one.</summary>
    /// <param name="Persons">In the order asked.</param>
    public sealed record Given(IReadOnlyList<string> Persons) : IdentifiersOutcome;

    /// <summary>None is given now: nobody new can be entered.</summary>
    /// <param name="Why">What to tell whoever enters them.</param>
    public sealed record Refused(Refusal Why) : IdentifiersOutcome;
}

/// <summary>
/// Identifiers for people who are new here: whoever is known in another region keeps the one that he has. The registrar among the regions gives them by tag
/// (<see cref="PersonTags"/>), and goes on to once it has; one that never gave any to others gives its own without.
/// </summary>
internal sealed class PersonIdentifiers(
    NpgsqlDataSource db, PersonTags tags, TagKnownPersons known, PersonRegister register, Outbound outbound, CaOptions options, ILogger<PersonIdentifiers> log, TimeProvider clock)
{
    private const string Own = "ca";
    private const string CountKnown = "SELECT count(*) FROM practitioners WHERE urn = ANY($1)";

    /// <summary>An identifier for each document.</summary>
    /// <param name="documents">Kind and number, distinct, of people who are not entered here.</param>
    /// <param name="ct">Cancels.</param>
    public async Task<IdentifiersOutcome> For(IReadOnlyList<(string Type, string Number)> documents, CancellationToken ct)
    {
        if (documents.Count == 0)
        {
            return new IdentifiersOutcome.Given([]);
        }

        if (options.Persons.Registrar is { } registrar)
        {
            return await AskFor(registrar, documents, ct) is { } told ? new IdentifiersOutcome.Given(told) : new IdentifiersOutcome.Refused(CaRefusals.RegistrarAway);
        }

        if (!options.Persons.IsRegistrar && !await register.HasGiven(ct))
        {
            var now = clock.GetUtcNow();
            return new IdentifiersOutcome.Given([.. documents.Select(_ => PersonId.New(now).Value)]);
        }

        return await known.KeyIsRight(ct) ? await Give(documents, ct) : new IdentifiersOutcome.Refused(CaRefusals.PersonsNotTagged);
    }

    private async Task<IdentifiersOutcome> Give(IReadOnlyList<(string Type, string Number)> documents, CancellationToken ct)
    {
        var own = new List<byte[]>(documents.Count);
        foreach (var (type, number) in documents)
        {
            own.Add(await tags.TagOf(type, number, ct));
        }

        return await register.For(own, null, Own, ct) switch
        {
            GiveOutcome.Given(var persons) => new IdentifiersOutcome.Given(persons),
            GiveOutcome.NotRecorded(var why) => new IdentifiersOutcome.Refused(CommonRefusals.From(why)),
            _ => throw new InvalidOperationException("A closed set."),
        };
    }

    private async Task<IReadOnlyList<string>?> AskFor(string registrar, IReadOnlyList<(string Type, string Number)> documents, CancellationToken ct)
    {
        BlindedInput[] blinded = [.. documents.Select(d => PersonTags.Blind(d.Type, d.Number))];
        try
        {
            var client = outbound.Client(registrar);
            var asked = new EvaluationRequest([.. blinded.Select(b => b.Element.ToArray())]);
            using var evaluation = await client.PostAsJsonAsync(EvaluateTags.Path.TrimStart('/'), asked, CaJson.Default.EvaluationRequest, ct);
            if (!evaluation.IsSuccessStatusCode
                || Tags(blinded, (await evaluation.Content.ReadFromJsonAsync(CaJson.Default.EvaluationResponse, ct))?.Evaluated) is not { } found)
            {
                CaLog.RegistrarAway(log, registrar, "it did not evaluate what was asked");
                return null;
            }

            using var giving = await client.PostAsJsonAsync(GiveIdentifiers.Path.TrimStart('/'), new IdentifierRequest(found), CaJson.Default.IdentifierRequest, ct);
            if (giving.IsSuccessStatusCode
                && (await giving.Content.ReadFromJsonAsync(CaJson.Default.IdentifierResponse, ct))?.Persons is { } persons && persons.Count == found.Count && await AreNew(persons, ct))
            {
                return persons;
            }

            CaLog.RegistrarAway(log, registrar, "it gave no identifiers, or those of others");
        }
        catch (Exception e) when (e is HttpRequestException or JsonException || (e is TaskCanceledException && !ct.IsCancellationRequested))
        {
            CaLog.RegistrarAway(log, registrar, e.GetType().Name);
        }

        return null;
    }

    // Null when any answer is no point of the curve.
    private static List<byte[]>? Tags(BlindedInput[] questions, IReadOnlyList<byte[]>? answers)
    {
        var found = new List<byte[]>(questions.Length);
        foreach (var (question, answer) in questions.Zip(answers ?? []))
        {
            if (question.TryFinish(answer, out var tag))
            {
                found.Add(tag);
            }
        }

        return answers?.Count == questions.Length && found.Count == questions.Length ? found : null;
    }

    // Two of one, or one whom we have by another document, would make two people one.
    private async Task<bool> AreNew(IReadOnlyList<string> persons, CancellationToken ct) =>
        persons.All(p => PersonId.TryParse(p, out _)) && persons.Distinct(StringComparer.Ordinal).Count() == persons.Count
        && await db.Sql(CountKnown).With<string[]>([.. persons]).Scalar<long>(ct) == 0;
}
