using Trust.Pkcs11;

namespace Trust.TestKit;

/// <summary>Fresh tokens behind <see cref="FaultyModule"/>.</summary>
public static class FaultyTokens
{
    /// <summary>Opens a fresh SoftHSM token through the faulty list, with the faults it can be given.</summary>
    public static async ValueTask<(Pkcs11Token Token, TokenFaults Faults)> NewToken(string name = "faulty", VendorSm2? sm2 = null)
    {
        var options = Tokens.NewOptions(name) with { Sm2 = sm2 };
        return (await FaultyModule.Open(options), FaultyModule.For(options.TokenLabel));
    }
}
