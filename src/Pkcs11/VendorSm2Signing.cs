using System.Security.Cryptography;
using Trust.Crypto;

namespace Trust.Pkcs11;

/// <summary>SM2 by a vendor's mechanism, from the configured table.</summary>
internal static class VendorSm2Signing
{
    /// <summary>Signs e = SM3(Z‖M); answers r‖s whatever form the vendor returns.</summary>
    public static byte[] Sign(LiveToken live, TokenSession session, KeyEntry key, VendorSm2? vendor, ReadOnlySpan<byte> e)
    {
        var table = Require(live, vendor);
        Prove(live, session, key, table);
        return SignOnce(live, session, key, table, e);
    }

    /// <summary>The mechanism table, when there is one, it fits a digest interface, and the token offers its mechanisms.</summary>
    public static VendorSm2 Require(LiveToken live, VendorSm2? vendor)
    {
        if (vendor is null)
        {
            throw new TokenException("UNSUPPORTED", "SM2 needs a mechanism table for this vendor in the token's options.");
        }

        if (vendor.Input == Sm2SignatureInput.Message)
        {
            throw new TokenException("UNSUPPORTED", "A token that computes Z itself signs messages, not digests: it cannot stand behind this interface.");
        }

        return live.Mechanisms.Contains(vendor.Sign) && live.Mechanisms.Contains(vendor.KeyPairGeneration)
            ? vendor
            : throw new TokenException("UNSUPPORTED", "The token does not offer the SM2 mechanisms its table names.");
    }

    // The table is only a claim: a wrong number may well sign something. Each key proves it once per login.
    private static void Prove(LiveToken live, TokenSession session, KeyEntry key, VendorSm2 table)
    {
        if (live.ProvedSm2.ContainsKey(key.Key.Ref.Label))
        {
            return;
        }

        var e = RandomNumberGenerator.GetBytes(32);
        var signature = SignOnce(live, session, key, table, e);
        if (!Sm2.VerifyDigest(key.Key.SubjectPublicKeyInfo, e, EcdsaForm.ToDer(signature)))
        {
            throw new TokenException("SIGNATURE_FORM", "The token's SM2 signatures do not verify: check the mechanism table.");
        }

        live.ProvedSm2[key.Key.Ref.Label] = true;
    }

    private static byte[] SignOnce(LiveToken live, TokenSession session, KeyEntry key, VendorSm2 table, ReadOnlySpan<byte> e)
    {
        var signature = session.Sign(table.Sign, key.Handle, e, 128);
        if (table.Form == Sm2SignatureForm.Raw)
        {
            return signature.Length == 64
                ? signature
                : throw new TokenException("SIGNATURE_FORM", "The token's SM2 signature is not r‖s of 64 bytes: check the mechanism table.");
        }

        return EcdsaForm.TryToRaw(signature, out var raw)
            ? raw
            : throw new TokenException("SIGNATURE_FORM", "The token's SM2 signature is not DER: check the mechanism table.");
    }
}
