using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Serialization;
using Trust.Kernel.Residency;
using Trust.LogFormat;

namespace Trust.Kernel.Audit;

/// <summary>Which of some subjects is a legal hold open on?</summary>
/// <param name="Subjects">Their keys, lower-case hexadecimal; at most <see cref="HoldQuestion.Most"/>.</param>
public sealed record HeldRequest([property: JsonPropertyName("subjects")] IReadOnlyList<string> Subjects);

/// <summary>Those on which one is.</summary>
/// <param name="Held">Their keys, lower-case hexadecimal.</param>
public sealed record HeldAnswer([property: JsonPropertyName("held")] IReadOnlyList<string> Held);

/// <summary>
/// Asks the ledger, which keeps the legal holds, before a service deletes what its time is over for. No answer is no permission. A hold that is placed
/// between answer and deletion comes too late: it was placed on something that was about to go.
/// </summary>
public sealed class HoldQuestion(Outbound outbound, AuditOptions options)
{
    /// <summary>Most subjects of one question.</summary>
    public const int Most = 2000;

    /// <summary>Keys on which a hold is open, lower-case hexadecimal; null when the ledger does not answer.</summary>
    public async Task<HashSet<string>?> Among(IEnumerable<SubjectKey> subjects, CancellationToken ct)
    {
        try
        {
            using var answer = await outbound.Client(options.Peer).PostAsJsonAsync(
                "holds/held", new HeldRequest([.. subjects.Select(Name).Distinct(StringComparer.Ordinal)]), HoldJson.Default.HeldRequest, ct);
            answer.EnsureSuccessStatusCode();
            return (await answer.Content.ReadFromJsonAsync(HoldJson.Default.HeldAnswer, ct))?.Held.ToHashSet(StringComparer.Ordinal);
        }
        catch (Exception e) when (e is HttpRequestException or JsonException or UndeclaredPeerException || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            return null;
        }
    }

    /// <summary>How an answer names a subject.</summary>
    public static string Name(SubjectKey subject)
    {
        ArgumentNullException.ThrowIfNull(subject);
        return Convert.ToHexStringLower(subject.Key);
    }
}

[JsonSerializable(typeof(HeldRequest))]
[JsonSerializable(typeof(HeldAnswer))]
internal sealed partial class HoldJson : JsonSerializerContext;
