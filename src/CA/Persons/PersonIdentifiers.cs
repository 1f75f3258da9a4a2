using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Trust.Crypto;
using Trust.Kernel.Identifiers;
using Trust.Kernel.Residency;

namespace Trust.CA.Persons;

/// <summary>
/// Identifiers for people who are new here: whoever is known in another region keeps the one that he has. The registrar among the regions gives them by tag
/// (<see cref="PersonTags"/>); a registrar of nobody but itself gives them without.
/// </summary>
internal sealed class PersonIdentifiers(PersonTags tags, TagKnownPersons known, PersonRegister register, Outbound outbound, CaOptions options, ILogger<PersonIdentifiers> log, TimeProvider clock)
{
    private const string Own = "ca";

    /// <summary>An identifier for each document.</summary>
    /// <param name="documents">Kind and number, distinct.</param>
    /// <param name="ct">Cancels.</param>
    /// <returns>In their order; null when the registrar does not answer as it should, so that nobody new can be entered now.</returns>
    public async Task<IReadOnlyList<string>?> For(IReadOnlyList<(string Type, string Number)> documents, CancellationToken ct)
    {
        if (documents.Count == 0)
        {
            return [];
        }

        if (options.Persons.Registrar is { } registrar)
        {
            return await AskFor(registrar, documents, ct);
        }

        if (!options.Persons.IsRegistrar)
        {
            var now = clock.GetUtcNow();
            return [.. documents.Select(_ => PersonId.New(now).Value)];
        }

        if (!await known.KeyIsRight(ct))
        {
            return null;
        }

        var own = new List<byte[]>(documents.Count);
        foreach (var (type, number) in documents)
        {
            own.Add(await tags.TagOf(type, number, ct));
        }

        return await register.For(own, null, Own, ct) is GiveOutcome.Given(var persons) ? persons : null;
    }

    private async Task<IReadOnlyList<string>?> AskFor(string registrar, IReadOnlyList<(string Type, string Number)> documents, CancellationToken ct)
    {
        BlindedInput[] blinded = [.. documents.Select(d => PersonTags.Blind(d.Type, d.Number))];
        try
        {
            using var client = new Registrar(outbound.Client(registrar));
            if (await client.Evaluate(new EvaluationRequest([.. blinded.Select(b => b.Element.ToArray())]), ct) is not { Evaluated: { } evaluated } || evaluated.Count != blinded.Length)
            {
                CaLog.RegistrarAway(log, registrar, "it did not evaluate what was asked");
                return null;
            }

            var found = new List<byte[]>(blinded.Length);
            foreach (var (question, answer) in blinded.Zip(evaluated))
            {
                if (!question.TryFinish(answer, out var tag))
                {
                    CaLog.RegistrarAway(log, registrar, "its answer is no point of the curve");
                    return null;
                }

                found.Add(tag);
            }

            if (await client.Give(new IdentifierRequest(found), ct) is { Persons: { } persons } && persons.Count == found.Count && persons.All(p => PersonId.TryParse(p, out _)))
            {
                return persons;
            }

            CaLog.RegistrarAway(log, registrar, "it gave no identifiers");
        }
        catch (Exception e) when (e is HttpRequestException or JsonException || (e is TaskCanceledException && !ct.IsCancellationRequested))
        {
            CaLog.RegistrarAway(log, registrar, e.GetType().Name);
        }

        return null;
    }

    private sealed class Registrar(HttpClient http) : IDisposable
    {
        private readonly List<HttpResponseMessage> _answers = [];

        public async Task<EvaluationResponse?> Evaluate(EvaluationRequest request, CancellationToken ct)
        {
            var answer = await http.PostAsJsonAsync(EvaluateTags.Path.TrimStart('/'), request, CaJson.Default.EvaluationRequest, ct);
            _answers.Add(answer);
            return answer.IsSuccessStatusCode ? await answer.Content.ReadFromJsonAsync(CaJson.Default.EvaluationResponse, ct) : null;
        }

        public async Task<IdentifierResponse?> Give(IdentifierRequest request, CancellationToken ct)
        {
            var answer = await http.PostAsJsonAsync(GiveIdentifiers.Path.TrimStart('/'), request, CaJson.Default.IdentifierRequest, ct);
            _answers.Add(answer);
            return answer.IsSuccessStatusCode ? await answer.Content.ReadFromJsonAsync(CaJson.Default.IdentifierResponse, ct) : null;
        }

        public void Dispose() => _answers.ForEach(a => a.Dispose());
    }
}
