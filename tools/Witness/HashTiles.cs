using System.Globalization;
using System.Net;
using Trust.Kernel.Residency;
using Trust.LogFormat;

namespace Trust.Witness;

/// <summary>A log's hash tiles (C2SP tlog-tiles), fetched from its declared peer. They outlive the entries that were pruned.</summary>
internal sealed class HashTiles(WholeAnswers answers, string peer)
{
    /// <summary>The right edge of the tree of a size, as the tiles give it.</summary>
    /// <exception cref="EntriesUnreadableException">The log does not answer, or not with such a tile.</exception>
    public async Task<LogTree> Edge(long size, CancellationToken ct)
    {
        var edge = new List<byte[]>();
        for (var level = 0; level == 0 || LogTree.FullTiles(size, level - 1) > 0; level++)
        {
            edge.Add(LogTree.PartialWidth(size, level) is > 0 and var width ? await Read(level, LogTree.FullTiles(size, level), width, ct) : []);
        }

        return LogTree.FromEdge(size, edge);
    }

    private async Task<byte[]> Read(int level, long number, int width, CancellationToken ct)
    {
        var path = string.Create(CultureInfo.InvariantCulture, $"tile/{level}/{EntryBundles.Number(number)}.p/{width}");
        try
        {
            var (status, hashes) = await answers.Get(peer, path, LogTree.Width * Envelope.HashSize, ct);
            if (status != HttpStatusCode.OK)
            {
                throw new EntriesUnreadableException($"HTTP {(int)status} for {path}");
            }

            return hashes.Length == width * Envelope.HashSize ? hashes : throw new EntriesUnreadableException($"{path} holds {hashes.Length} bytes");
        }
        catch (Exception e) when (e is HttpRequestException or IOException or UndeclaredPeerException)
        {
            throw new EntriesUnreadableException(e.Message);
        }
    }
}
