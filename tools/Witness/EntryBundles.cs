using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using Trust.Kernel.Residency;
using Trust.LogFormat;

namespace Trust.Witness;

/// <summary>A log's entry bundles (C2SP tlog-tiles), fetched from its declared peer.</summary>
internal sealed class EntryBundles(WholeAnswers answers, string peer)
{
    // 256 entries of at most 65,535 bytes, each with its length.
    private const int MaxBytes = LogTree.Width * (2 + ushort.MaxValue);

    /// <summary>Entries from a position to the end of its bundle, but not beyond a size.</summary>
    /// <exception cref="EntriesUnreadableException">The log does not answer, or not with such a bundle.</exception>
    public async Task<List<ReadOnlyMemory<byte>>> Read(long from, long size, CancellationToken ct)
    {
        var number = from / LogTree.Width;
        var width = (int)Math.Min(LogTree.Width, size - (number * LogTree.Width));
        var path = "tile/entries/" + Number(number) + (width == LogTree.Width ? "" : string.Create(CultureInfo.InvariantCulture, $".p/{width}"));
        try
        {
            var (status, body) = await answers.Get(peer, path, MaxBytes, ct);
            if (status != HttpStatusCode.OK)
            {
                // Ranges are pruned whole, so only of a full bundle that says that its entries are there no more.
                throw new EntriesUnreadableException($"HTTP {(int)status} for {path}", arePruned: status is HttpStatusCode.NotFound && width == LogTree.Width);
            }

            var entries = Split(body);
            return entries.Count == width
                ? entries[(int)(from % LogTree.Width)..]
                : throw new EntriesUnreadableException($"{path} holds {entries.Count} entries");
        }
        catch (Exception e) when (e is HttpRequestException or IOException or UndeclaredPeerException)
        {
            throw new EntriesUnreadableException(e.Message);
        }
    }

    private static List<ReadOnlyMemory<byte>> Split(byte[] bundle)
    {
        var entries = new List<ReadOnlyMemory<byte>>(LogTree.Width);
        for (var at = 0; at < bundle.Length;)
        {
            if (bundle.Length - at < 2 || BinaryPrimitives.ReadUInt16BigEndian(bundle.AsSpan(at)) is var length && bundle.Length - at - 2 < length)
            {
                throw new EntriesUnreadableException("a bundle ends within an entry");
            }

            entries.Add(bundle.AsMemory(at + 2, length));
            at += 2 + length;
        }

        return entries;
    }

    /// <summary>A tile's number as its address spells it.</summary>
    internal static string Number(long n)
    {
        var text = (n % 1000).ToString("000", CultureInfo.InvariantCulture);
        for (n /= 1000; n > 0; n /= 1000)
        {
            text = string.Create(CultureInfo.InvariantCulture, $"x{n % 1000:000}/{text}");
        }

        return text;
    }
}

/// <summary>The log's entries could not be read; says nothing about what they are.</summary>
/// <param name="message">Why.</param>
/// <param name="arePruned">The log says that it holds them no more.</param>
public sealed class EntriesUnreadableException(string message, bool arePruned = false) : Exception(message)
{
    /// <summary>The log says that it holds them no more.</summary>
    public bool ArePruned => arePruned;
}
