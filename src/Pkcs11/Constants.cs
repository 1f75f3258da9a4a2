namespace Trust.Pkcs11;

/// <summary>PKCS#11 v2.40 numbers used here: object classes, key types, attributes, mechanisms, flags.</summary>
internal static class Ck
{
    public const ulong ClassCertificate = 1;
    public const ulong ClassPublicKey = 2;
    public const ulong ClassPrivateKey = 3;
    public const ulong ClassSecretKey = 4;

    public const ulong KeyRsa = 0x00;
    public const ulong KeyEc = 0x03;
    public const ulong KeyGenericSecret = 0x10;
    public const ulong KeyAes = 0x1F;
    public const ulong KeySha256Hmac = 0x2B;
    public const ulong KeyEcEdwards = 0x40;

    public const ulong Class = 0x000;
    public const ulong Token = 0x001;
    public const ulong Private = 0x002;
    public const ulong Label = 0x003;
    public const ulong Value = 0x011;
    public const ulong CertificateType = 0x080;
    public const ulong Issuer = 0x081;
    public const ulong SerialNumber = 0x082;
    public const ulong KeyType = 0x100;
    public const ulong Subject = 0x101;
    public const ulong Id = 0x102;
    public const ulong Sensitive = 0x103;
    public const ulong Encrypt = 0x104;
    public const ulong Decrypt = 0x105;
    public const ulong Wrap = 0x106;
    public const ulong Unwrap = 0x107;
    public const ulong Sign = 0x108;
    public const ulong Verify = 0x10A;
    public const ulong Derive = 0x10C;
    public const ulong Modulus = 0x120;
    public const ulong ModulusBits = 0x121;
    public const ulong PublicExponent = 0x122;
    public const ulong ValueLength = 0x161;
    public const ulong Extractable = 0x162;
    public const ulong EcParams = 0x180;
    public const ulong EcPoint = 0x181;

    public const ulong RsaKeyPairGeneration = 0x0000;
    public const ulong RsaPkcs = 0x0001;
    public const ulong Sha256Hmac = 0x0251;
    public const ulong GenericSecretGeneration = 0x0350;
    public const ulong EcKeyPairGeneration = 0x1040;
    public const ulong Ecdsa = 0x1041;
    public const ulong EdwardsKeyPairGeneration = 0x1055;
    public const ulong EdDsa = 0x1057;
    public const ulong AesGeneration = 0x1080;
    public const ulong AesGcm = 0x1087;

    public const ulong OsLockingOk = 2;
    public const ulong SerialSession = 4;
    public const ulong ReadWriteSession = 2;
    public const ulong SecurityOfficer = 0;
    public const ulong User = 1;
    public const ulong TokenInitialized = 0x400;
}
