namespace Trust.Crypto.Json;

/// <summary>Why bytes were not accepted as strict JSON. The set is closed.</summary>
public enum JsonRefusalReason
{
    /// <summary>More bytes than the limit allows.</summary>
    TooLarge,

    /// <summary>Deeper nesting than the limit allows.</summary>
    TooDeep,

    /// <summary>The bytes are not valid UTF-8 (RFC 8259 8.1), or begin with a byte order mark.</summary>
    InvalidUtf8,

    /// <summary>Not the JSON grammar, including comments, trailing commas and trailing data.</summary>
    Malformed,

    /// <summary>An object names one member twice after unescaping (RFC 7493 2.3).</summary>
    DuplicateKey,

    /// <summary>A string or name holds a surrogate without its partner (RFC 7493 2.1).</summary>
    LoneSurrogate,

    /// <summary>A number beyond ±(2^53−1), or one that IEEE 754 double precision cannot give back (RFC 7493 2.2).</summary>
    UnsafeNumber,
}

/// <summary>A refusal to parse, with the byte offset at or before which the fault lies.</summary>
/// <param name="Reason">The rule that was broken.</param>
/// <param name="Offset">Bytes from the start of the input.</param>
public sealed record JsonRefusal(JsonRefusalReason Reason, long Offset);

/// <summary>Bounds that a caller sets on untrusted JSON.</summary>
/// <param name="MaxBytes">Largest accepted input, in bytes.</param>
/// <param name="MaxDepth">Deepest accepted nesting of arrays and objects; at most 64.</param>
public readonly record struct JsonLimits(int MaxBytes, int MaxDepth = 32);
