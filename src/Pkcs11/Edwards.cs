using Net.Pkcs11Interop.Common;

namespace Trust.Pkcs11;

/// <summary>Numbers of PKCS#11 v3.0 (OASIS Standard, 15 June 2020, § 2.3 and pkcs11t.h) that the library, written for v2.40, has no names for.</summary>
internal static class Edwards
{
    /// <summary>CKK_EC_EDWARDS.</summary>
    public const CKK KeyType = (CKK)0x40;

    /// <summary>CKM_EC_EDWARDS_KEY_PAIR_GEN.</summary>
    public const CKM KeyPairGeneration = (CKM)0x1055;

    /// <summary>CKM_EDDSA.</summary>
    public const CKM Signature = (CKM)0x1057;
}
