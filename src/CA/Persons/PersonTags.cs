using System.Text;
using Trust.Crypto;
using Trust.Pkcs11;

namespace Trust.CA.Persons;

/// <summary>
/// Tags: what people are known by between regions. A tag is a pseudorandom function (RFC 9497, P-256, SHA-256) of kind and number of a document under a key that
/// stays in the registrar's token. Who asks blinds the question, so the registrar learns nothing of the document; who has a tag cannot try numbers without asking.
/// </summary>
internal sealed class PersonTags(IToken token)
{
    /// <summary>The key. Lost, it finds no one any more who was tagged before: it belongs into the token's backup (docs/OPERATIONS.md).</summary>
    public static readonly KeyRef Key = new("person-tags");

    /// <summary>The question about a document, blinded anew each time.</summary>
    public static BlindedInput Blind(string type, string number) => ObliviousPrf.Blind(Encoding.UTF8.GetBytes($"trust.person.v1\n{type}\n{number}"));

    /// <summary>The registrar's half: an element times the key.</summary>
    /// <param name="element">33 bytes that are an element (<see cref="ObliviousPrf.IsElement"/>).</param>
    /// <param name="ct">Cancels.</param>
    /// <returns>The x coordinate, 32 bytes.</returns>
    /// <exception cref="ArgumentException">It is no element.</exception>
    public ValueTask<byte[]> Evaluate(ReadOnlyMemory<byte> element, CancellationToken ct) =>
        token.Agree(Key, ObliviousPrf.TryToPoint(element.Span, out var point) ? point : throw new ArgumentException("Not an element.", nameof(element)), ct);

    /// <summary>The tag of a document, by the registrar itself.</summary>
    public async Task<byte[]> TagOf(string type, string number, CancellationToken ct)
    {
        var blinded = Blind(type, number);
        return blinded.TryFinish(await Evaluate(blinded.Element, ct), out var tag) ? tag : throw new TokenException("TAG", "The token's answer is no point of the curve.");
    }
}
