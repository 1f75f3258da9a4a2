namespace Trust.Pkcs11;

/// <summary>Where a token is and how to log in to it.</summary>
public sealed record TokenOptions
{
    /// <summary>Path of the PKCS#11 module, for example <c>/usr/lib/softhsm/libsofthsm2.so</c>.</summary>
    public required string ModulePath { get; init; }

    /// <summary>The token's label; slots are found by it, because slot numbers change.</summary>
    public required string TokenLabel { get; init; }

    /// <summary>File holding the user PIN, readable by its owner alone.</summary>
    public required string PinFile { get; init; }

    /// <summary>Sessions, and so operations in flight. Two per core saturate software tokens.</summary>
    public int Sessions { get; init; } = Math.Max(2, Environment.ProcessorCount * 2);

    /// <summary>
    /// Sessions besides, for work that anyone may ask for (OCSP answers, time-stamps of strangers); opened when such work first comes. Half of
    /// <see cref="Sessions"/> by default.
    /// </summary>
    public int? AnonymousSessions { get; init; }

    /// <summary>
    /// Longest time for one call of the module, six times that for the making of a key; after it the caller hears TOKEN_SILENT. 10 s by default:
    /// longer than a network token needs to fail over, shorter than a client waits.
    /// </summary>
    public TimeSpan CallTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How this vendor does SM2; null where the token has none.</summary>
    public VendorSm2? Sm2 { get; init; }
}

/// <summary>What a vendor's SM2 signing mechanism returns.</summary>
public enum Sm2SignatureForm
{
    /// <summary>r‖s, 64 bytes.</summary>
    Raw,

    /// <summary>DER SEQUENCE { r, s }.</summary>
    Der,
}

/// <summary>What a vendor's SM2 signing mechanism takes.</summary>
public enum Sm2SignatureInput
{
    /// <summary>e = SM3(Z‖M): the caller computed Z.</summary>
    DigestWithZ,

    /// <summary>The message: the token computes Z with the default ID. Such a token cannot serve a digest interface and is refused.</summary>
    Message,
}

/// <summary>
/// A vendor's SM2 mechanisms. Their numbers are vendor-defined and collide, so the table is configuration and is proved by
/// signing and verifying before the first use.
/// </summary>
public sealed record VendorSm2
{
    /// <summary>Mechanism that generates an SM2 key pair.</summary>
    public required ulong KeyPairGeneration { get; init; }

    /// <summary>Mechanism that signs.</summary>
    public required ulong Sign { get; init; }

    /// <summary>Form of the signature returned.</summary>
    public Sm2SignatureForm Form { get; init; }

    /// <summary>What is passed to C_Sign.</summary>
    public Sm2SignatureInput Input { get; init; }
}
