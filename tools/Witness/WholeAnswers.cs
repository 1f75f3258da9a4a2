using System.Net;
using Trust.Kernel.Residency;

namespace Trust.Witness;

/// <summary>
/// Answers of declared peers, read to their end. Within a time of our own: that of the client ends with the headers, and whoever sends no more after them
/// would be waited for as long as the process runs, while no checkpoint is judged.
/// </summary>
internal sealed class WholeAnswers(Outbound outbound, WitnessOptions options)
{
    /// <summary>What a peer answers: its status, and the body of a success.</summary>
    /// <param name="peer">The declared peer.</param>
    /// <param name="path">Below its address.</param>
    /// <param name="most">Bytes that the body may have.</param>
    /// <param name="ct">Cancels.</param>
    /// <exception cref="IOException">It did not come whole in time.</exception>
    /// <exception cref="HttpRequestException">There is none, or it is larger.</exception>
    /// <exception cref="UndeclaredPeerException">The peer is not declared.</exception>
    public async Task<(HttpStatusCode Status, byte[] Body)> Get(string peer, string path, int most, CancellationToken ct)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(options.AnswerWithin);
        try
        {
            using var answer = await outbound.Client(peer).GetAsync(path, HttpCompletionOption.ResponseHeadersRead, limit.Token);
            if (answer.StatusCode is not HttpStatusCode.OK)
            {
                return (answer.StatusCode, []);
            }

            await answer.Content.LoadIntoBufferAsync(most, limit.Token);
            return (answer.StatusCode, await answer.Content.ReadAsByteArrayAsync(limit.Token));
        }
        catch (OperationCanceledException e) when (!ct.IsCancellationRequested)
        {
            throw new IOException($"no whole answer within {options.AnswerWithin.TotalSeconds:0.#} s", e);
        }
    }
}
