namespace Trust.Crypto;

/// <summary>
/// An input on its way through an <see cref="ObliviousPrf"/>: what the key's holder may see, and, for the asker alone, what takes the blind off again.
/// Whoever learns the blind and the element can try inputs against them, so neither blind nor input leaves this object.
/// </summary>
public sealed class BlindedInput
{
    private readonly byte[] input;
    private readonly byte[] blind;

    internal BlindedInput(byte[] input, byte[] blind, byte[] element)
    {
        (this.input, this.blind) = (input, blind);
        Element = element;
    }

    /// <summary>What the key's holder is asked to multiply: 33 bytes, which say nothing of the input.</summary>
    public ReadOnlyMemory<byte> Element { get; }

    /// <summary>Ends the function (RFC 9497 3.3.1, Finalize; the one bit that differs is told of at <see cref="ObliviousPrf"/>).</summary>
    /// <param name="evaluatedX">The holder's answer: the x of the multiplied point, 32 bytes. That it used the right key cannot be seen in it.</param>
    /// <param name="output">The function's value, 32 bytes.</param>
    /// <returns>False for an answer that is no x of the curve.</returns>
    public bool TryFinish(ReadOnlySpan<byte> evaluatedX, out byte[] output)
    {
        var isAnswer = ObliviousPrf.TryUnblind(evaluatedX, blind, out var element);
        output = isAnswer ? ObliviousPrf.Output(input, element) : [];
        return isAnswer;
    }
}
