using System.Buffers.Binary;
using System.Text;

namespace Trust.LogFormat;

/// <summary>The ledger's answer to a batch: one receipt per event and a checkpoint covering them all (docs/LEDGER-FORMAT.md §5).</summary>
/// <param name="Receipts">In the order of the batch.</param>
/// <param name="Checkpoint">Signed note.</param>
public sealed record ReceiptFrame(IReadOnlyList<Receipt> Receipts, string Checkpoint)
{
    private const int ReceiptSize = 8 + 8 + Envelope.HashSize;

    private static readonly byte[] Magic = "TLR1"u8.ToArray();

    /// <summary>Writes an answer.</summary>
    public byte[] Write()
    {
        var checkpoint = Encoding.UTF8.GetBytes(Checkpoint);
        var bytes = new byte[Magic.Length + 10 + (Receipts.Count * ReceiptSize) + checkpoint.Length];
        var to = bytes.AsSpan();
        Magic.CopyTo(to);
        BinaryPrimitives.WriteInt64BigEndian(to[4..], Receipts[0].TreeSize);
        BinaryPrimitives.WriteUInt16BigEndian(to[12..], (ushort)Receipts.Count);
        var at = 14;
        foreach (var receipt in Receipts)
        {
            BinaryPrimitives.WriteInt64BigEndian(to[at..], receipt.Index);
            BinaryPrimitives.WriteInt64BigEndian(to[(at + 8)..], Microseconds.Since1970(receipt.Time));
            receipt.LeafHash.CopyTo(to[(at + 16)..]);
            at += ReceiptSize;
        }

        checkpoint.CopyTo(to[at..]);
        return bytes;
    }

    /// <summary>Reads an answer to a batch of that many events; null when malformed.</summary>
    public static ReceiptFrame? TryRead(ReadOnlySpan<byte> bytes, int count)
    {
        if (bytes.Length < 14 || !bytes.StartsWith(Magic) || BinaryPrimitives.ReadUInt16BigEndian(bytes[12..]) != count
            || bytes.Length < 14 + (count * ReceiptSize))
        {
            return null;
        }

        var size = BinaryPrimitives.ReadInt64BigEndian(bytes[4..]);
        var receipts = new Receipt[count];
        var at = 14;
        for (var i = 0; i < count; i++)
        {
            var index = BinaryPrimitives.ReadInt64BigEndian(bytes[at..]);
            var micros = BinaryPrimitives.ReadInt64BigEndian(bytes[(at + 8)..]);
            if (index < 0 || index >= size || !Microseconds.TryToInstant(micros, out var time))
            {
                return null;
            }

            receipts[i] = new Receipt(index, time, bytes.Slice(at + 16, Envelope.HashSize).ToArray(), size);
            at += ReceiptSize;
        }

        return new ReceiptFrame(receipts, Encoding.UTF8.GetString(bytes[at..]));
    }
}
