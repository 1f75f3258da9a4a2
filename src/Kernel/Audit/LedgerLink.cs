using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Serialization;
using Trust.LogFormat;

namespace Trust.Kernel.Audit;

/// <summary>Head of one source as the ledger knows it.</summary>
/// <param name="Epoch">Epoch of the last event; 0 before the first.</param>
/// <param name="Seq">Its number; 0 before the first.</param>
/// <param name="Hash">Its envelope hash, lower-case hex; zeros before the first.</param>
/// <param name="OpenEpoch">The epoch that may append now.</param>
public sealed record SourceHead(long Epoch, long Seq, string Hash, long OpenEpoch);

/// <summary>Asks for a new epoch that follows the named head.</summary>
/// <param name="Hash">Envelope hash of the head, lower-case hex.</param>
public sealed record OpenEpochRequest(string Hash);

/// <summary>A proof as the ledger answers it.</summary>
/// <param name="Hashes">Base64 hashes, leaf to root.</param>
public sealed record ProofAnswer(IReadOnlyList<string> Hashes);

/// <summary>JSON of the relay's exchanges.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, UnmappedMemberHandling = JsonUnmappedMemberHandling.Skip)]
[JsonSerializable(typeof(SourceHead))]
[JsonSerializable(typeof(OpenEpochRequest))]
[JsonSerializable(typeof(ProofAnswer))]
[JsonSerializable(typeof(LedgerProblem))]
public sealed partial class AuditJson : JsonSerializerContext;

/// <summary>What the relay reads of a problem document.</summary>
/// <param name="Type">Problem URN.</param>
/// <param name="Reason">Code of the broken rule of a refused event.</param>
/// <param name="Position">Index of the refused event in the batch.</param>
public sealed record LedgerProblem(string? Type, string? Reason, int? Position);

/// <summary>What the ledger said to a batch.</summary>
public abstract record PostOutcome
{
    private PostOutcome() { }

    /// <summary>Sequenced, now or before.</summary>
    /// <param name="Answer">Receipts and checkpoint.</param>
    public sealed record Accepted(ReceiptFrame Answer) : PostOutcome;

    /// <summary>One event is refused for good; nothing of the batch was taken.</summary>
    /// <param name="Position">Which.</param>
    /// <param name="Reason">Rule code.</param>
    public sealed record Poison(int Position, string Reason) : PostOutcome;

    /// <summary>Another relay has taken over, or the head moved: open again.</summary>
    public sealed record Superseded : PostOutcome;

    /// <summary>The ledger holds another body at a place this service already used.</summary>
    public sealed record Contradicted : PostOutcome;

    /// <summary>No answer, or not now; the same batch is sent again later.</summary>
    /// <param name="Detail">For the log.</param>
    public sealed record Away(string Detail) : PostOutcome;
}

/// <summary>Speaks to the ledger on behalf of one source.</summary>
/// <param name="http">Client of the declared peer; its certificate names the source.</param>
/// <param name="source">Name of the source.</param>
public sealed class LedgerLink(HttpClient http, string source)
{
    private const string Prefix = "urn:trust:problem:ledger:";

    /// <summary>The source's head.</summary>
    /// <exception cref="HttpRequestException">The ledger does not answer, or not with a head.</exception>
    public async Task<SourceHead> Head(CancellationToken ct) =>
        await http.GetFromJsonAsync($"sources/{source}/head", AuditJson.Default.SourceHead, ct)
            ?? throw new HttpRequestException("The ledger answered no head.");

    /// <summary>Opens an epoch after the named head; null when the head has moved meanwhile.</summary>
    /// <exception cref="HttpRequestException">The ledger does not answer.</exception>
    public async Task<SourceHead?> OpenEpoch(string headHash, CancellationToken ct)
    {
        using var answer = await http.PostAsJsonAsync(
            $"sources/{source}/epochs", new OpenEpochRequest(headHash), AuditJson.Default.OpenEpochRequest, ct);
        if (answer.StatusCode == HttpStatusCode.Conflict)
        {
            return null;
        }

        answer.EnsureSuccessStatusCode();
        return await answer.Content.ReadFromJsonAsync(AuditJson.Default.SourceHead, ct);
    }

    /// <summary>Posts a batch. Every failure is a value.</summary>
    public async Task<PostOutcome> Post(byte[] frame, int count, CancellationToken ct)
    {
        try
        {
            using var content = new ByteArrayContent(frame);
            content.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
            using var answer = await http.PostAsync("entries", content, ct);
            if (answer.IsSuccessStatusCode)
            {
                return ReceiptFrame.TryRead(await answer.Content.ReadAsByteArrayAsync(ct), count) is { } receipts
                    ? new PostOutcome.Accepted(receipts)
                    : new PostOutcome.Away("the ledger's answer is malformed");
            }

            return await Refusal(answer, ct);
        }
        catch (Exception e) when (e is HttpRequestException or IOException or SocketException || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            return new PostOutcome.Away(e.Message);
        }
    }

    /// <summary>The latest checkpoint, a signed note.</summary>
    /// <exception cref="HttpRequestException">The ledger does not answer.</exception>
    public Task<string> Checkpoint(CancellationToken ct) => http.GetStringAsync("checkpoint", ct);

    /// <summary>Consistency proof between two sizes.</summary>
    /// <exception cref="HttpRequestException">The ledger does not answer, or has no such proof.</exception>
    public Task<IReadOnlyList<byte[]>> Consistency(long from, long to, CancellationToken ct) => Proof($"proofs/consistency?from={from}&to={to}", ct);

    /// <summary>Proof that an entry stands in the tree of a size.</summary>
    /// <exception cref="HttpRequestException">The ledger does not answer, or has no such proof.</exception>
    public Task<IReadOnlyList<byte[]>> Inclusion(long index, long size, CancellationToken ct) => Proof($"proofs/inclusion?index={index}&size={size}", ct);

    private async Task<IReadOnlyList<byte[]>> Proof(string address, CancellationToken ct)
    {
        var answer = await http.GetFromJsonAsync(address, AuditJson.Default.ProofAnswer, ct);
        try
        {
            return [.. (answer?.Hashes ?? []).Select(Convert.FromBase64String)];
        }
        catch (FormatException e)
        {
            throw new HttpRequestException("The ledger's proof is not base64.", e);
        }
    }

    private static async Task<PostOutcome> Refusal(HttpResponseMessage answer, CancellationToken ct)
    {
        LedgerProblem? problem = null;
        try
        {
            problem = await answer.Content.ReadFromJsonAsync(AuditJson.Default.LedgerProblem, ct);
        }
        catch (JsonException)
        {
            // Something between us and the ledger answered; its words decide nothing.
            return new PostOutcome.Away($"HTTP {(int)answer.StatusCode} without a problem document");
        }

        return (problem?.Type) switch
        {
            Prefix + "event-refused" when problem.Position is { } at => new PostOutcome.Poison(at, problem.Reason ?? "unnamed"),
            Prefix + "epoch-stale" or Prefix + "head-moved" => new PostOutcome.Superseded(),
            Prefix + "body-differs" => new PostOutcome.Contradicted(),
            var type => new PostOutcome.Away($"HTTP {(int)answer.StatusCode} {type}"),
        };
    }
}
