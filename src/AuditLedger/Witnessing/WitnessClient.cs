using System.Globalization;
using System.Net;
using System.Text;
using Trust.Kernel.Audit;
using Trust.Kernel.Residency;
using Trust.LogFormat;
using Trust.LogFormat.Index;

namespace Trust.AuditLedger.Witnessing;

/// <summary>What a witness said to a checkpoint.</summary>
internal abstract record WitnessAnswer
{
    private WitnessAnswer() { }

    /// <summary>200: its line, verified.</summary>
    public sealed record Cosigned(NoteLine Line) : WitnessAnswer;

    /// <summary>409: it stands at another size than the one named.</summary>
    public sealed record Elsewhere(long Size) : WitnessAnswer;

    /// <summary>It will not cosign; 422 means that it finds something wrong with the log.</summary>
    public sealed record Refused(int Status, string Why) : WitnessAnswer;

    /// <summary>No answer in time, or none that can be read.</summary>
    public sealed record Away(string Why) : WitnessAnswer;
}

/// <summary>Speaks C2SP tlog-witness to one witness.</summary>
internal sealed class WitnessClient(string name, NoteVerifier key, HttpClient http)
{
    private const int MaxAnswer = 16 * 1024;
    private const string SizeType = "text/x.tlog.size";

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    /// <summary>Its peer name.</summary>
    public string Name => name;

    /// <summary>Its key.</summary>
    public NoteVerifier Key => key;

    /// <summary>Size it is known to stand at; null until it was asked.</summary>
    public long? At { get; set; }

    /// <summary>Asks for a cosignature. Every failure is a value.</summary>
    /// <param name="old">Size it should stand at.</param>
    /// <param name="proof">Consistency proof from there.</param>
    /// <param name="note">The checkpoint, signed by the log.</param>
    /// <param name="ct">Cancels.</param>
    public async Task<WitnessAnswer> Add(long old, IReadOnlyList<byte[]> proof, string note, CancellationToken ct)
    {
        var body = new StringBuilder(string.Create(CultureInfo.InvariantCulture, $"old {old}\n"));
        foreach (var hash in proof)
        {
            body.Append(Convert.ToBase64String(hash)).Append('\n');
        }

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(Limit);
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "add-checkpoint") { Content = new StringContent(body.Append('\n').Append(note).ToString()) };
            using var answer = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, limit.Token);
            var text = await Read(answer.Content, limit.Token);
            return answer.StatusCode switch
            {
                HttpStatusCode.OK => Line(text, note) is { } line ? new WitnessAnswer.Cosigned(line) : new WitnessAnswer.Away("its answer holds no good line of its key"),
                HttpStatusCode.Conflict when answer.Content.Headers.ContentType?.MediaType is SizeType && Size(text) is { } size => new WitnessAnswer.Elsewhere(size),
                >= (HttpStatusCode)400 and < (HttpStatusCode)500 => new WitnessAnswer.Refused((int)answer.StatusCode, OneLine(text)),
                _ => new WitnessAnswer.Away(string.Create(CultureInfo.InvariantCulture, $"HTTP {(int)answer.StatusCode}")),
            };
        }
        catch (Exception e) when (e is HttpRequestException or IOException or UndeclaredPeerException || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            return new WitnessAnswer.Away(e is OperationCanceledException ? "no answer in time" : e.Message);
        }
    }

    // The answer may hold lines of several keys; ours is the one that was configured for this witness.
    private NoteLine? Line(string answer, string note)
    {
        var text = Encoding.UTF8.GetBytes(SignedNote.TryRead(note)!.Value.Text);
        return answer.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(NoteLine.TryParse)
            .FirstOrDefault(line => line is not null && line.IsOf(key) && key.Verify(text, line.Signature.Span));
    }

    private static long? Size(string text) =>
        text.EndsWith('\n') && long.TryParse(text[..^1], NumberStyles.None, CultureInfo.InvariantCulture, out var size) ? size : null;

    // A stranger's words in our log: bounded, and no line of their own.
    private static string OneLine(string text) => new([.. text.Take(200).Select(c => char.IsControl(c) ? ' ' : c)]);

    private static async Task<string> Read(HttpContent content, CancellationToken ct)
    {
        await using var stream = await content.ReadAsStreamAsync(ct);
        var buffer = new byte[MaxAnswer + 1];
        var length = await stream.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, ct);
        return length <= MaxAnswer ? Encoding.UTF8.GetString(buffer, 0, length) : throw new IOException($"it answers more than {MaxAnswer} bytes");
    }
}
