namespace Trust.Crypto.Asn1;

/// <summary>Object identifiers, each with the text that assigns it.</summary>
public static class Oids
{
    /// <summary>id-ecPublicKey (RFC 5480).</summary>
    public const string EcPublicKey = "1.2.840.10045.2.1";

    /// <summary>secp256r1, P-256 (RFC 5480).</summary>
    public const string P256 = "1.2.840.10045.3.1.7";

    /// <summary>The SM2 curve (GB/T 32918.5, GM/T 0006).</summary>
    public const string Sm2Curve = "1.2.156.10197.1.301";

    /// <summary>rsaEncryption (RFC 8017).</summary>
    public const string Rsa = "1.2.840.113549.1.1.1";

    /// <summary>Ed25519 (RFC 8410).</summary>
    public const string Ed25519 = "1.3.101.112";

    /// <summary>ecdsa-with-SHA256 (RFC 5758).</summary>
    public const string EcdsaSha256 = "1.2.840.10045.4.3.2";

    /// <summary>sha256WithRSAEncryption (RFC 8017).</summary>
    public const string RsaSha256 = "1.2.840.113549.1.1.11";

    /// <summary>SM2-with-SM3 (GM/T 0006).</summary>
    public const string Sm2Sm3 = "1.2.156.10197.1.501";

    /// <summary>SM2-1, the SM2 signature algorithm (GM/T 0006), as GB/T 35275 names it in SignerInfo.</summary>
    public const string Sm2Sign = "1.2.156.10197.1.301.1";

    /// <summary>SHA-1, only inside OCSP CertID (RFC 6960).</summary>
    public const string Sha1 = "1.3.14.3.2.26";

    /// <summary>SHA-256 (RFC 5754).</summary>
    public const string Sha256 = "2.16.840.1.101.3.4.2.1";

    /// <summary>SHA-384 (RFC 5754).</summary>
    public const string Sha384 = "2.16.840.1.101.3.4.2.2";

    /// <summary>SHA-512 (RFC 5754).</summary>
    public const string Sha512 = "2.16.840.1.101.3.4.2.3";

    /// <summary>SM3 (GM/T 0006).</summary>
    public const string Sm3 = "1.2.156.10197.1.401";

    /// <summary>extensionRequest (RFC 2985).</summary>
    public const string ExtensionRequest = "1.2.840.113549.1.9.14";

    /// <summary>subjectKeyIdentifier (RFC 5280 4.2.1.2).</summary>
    public const string SubjectKeyIdentifier = "2.5.29.14";

    /// <summary>keyUsage (RFC 5280 4.2.1.3).</summary>
    public const string KeyUsage = "2.5.29.15";

    /// <summary>subjectAltName (RFC 5280 4.2.1.6).</summary>
    public const string SubjectAltName = "2.5.29.17";

    /// <summary>issuerAltName (RFC 5280 4.2.1.7).</summary>
    public const string IssuerAltName = "2.5.29.18";

    /// <summary>basicConstraints (RFC 5280 4.2.1.9).</summary>
    public const string BasicConstraints = "2.5.29.19";

    /// <summary>cRLNumber (RFC 5280 5.2.3).</summary>
    public const string CrlNumber = "2.5.29.20";

    /// <summary>reasonCode (RFC 5280 5.3.1).</summary>
    public const string CrlReason = "2.5.29.21";

    /// <summary>invalidityDate (RFC 5280 5.3.2).</summary>
    public const string InvalidityDate = "2.5.29.24";

    /// <summary>deltaCRLIndicator (RFC 5280 5.2.4).</summary>
    public const string DeltaCrlIndicator = "2.5.29.27";

    /// <summary>issuingDistributionPoint (RFC 5280 5.2.5).</summary>
    public const string IssuingDistributionPoint = "2.5.29.28";

    /// <summary>certificateIssuer (RFC 5280 5.3.3).</summary>
    public const string CertificateIssuer = "2.5.29.29";

    /// <summary>nameConstraints (RFC 5280 4.2.1.10).</summary>
    public const string NameConstraints = "2.5.29.30";

    /// <summary>cRLDistributionPoints (RFC 5280 4.2.1.13).</summary>
    public const string CrlDistributionPoints = "2.5.29.31";

    /// <summary>certificatePolicies (RFC 5280 4.2.1.4).</summary>
    public const string CertificatePolicies = "2.5.29.32";

    /// <summary>policyMappings (RFC 5280 4.2.1.5).</summary>
    public const string PolicyMappings = "2.5.29.33";

    /// <summary>authorityKeyIdentifier (RFC 5280 4.2.1.1).</summary>
    public const string AuthorityKeyIdentifier = "2.5.29.35";

    /// <summary>policyConstraints (RFC 5280 4.2.1.11).</summary>
    public const string PolicyConstraints = "2.5.29.36";

    /// <summary>extKeyUsage (RFC 5280 4.2.1.12).</summary>
    public const string ExtendedKeyUsage = "2.5.29.37";

    /// <summary>freshestCRL (RFC 5280 4.2.1.15, 5.2.6).</summary>
    public const string FreshestCrl = "2.5.29.46";

    /// <summary>inhibitAnyPolicy (RFC 5280 4.2.1.14).</summary>
    public const string InhibitAnyPolicy = "2.5.29.54";

    /// <summary>authorityInfoAccess (RFC 5280 4.2.2.1).</summary>
    public const string AuthorityInfoAccess = "1.3.6.1.5.5.7.1.1";

    /// <summary>subjectInfoAccess (RFC 5280 4.2.2.2).</summary>
    public const string SubjectInfoAccess = "1.3.6.1.5.5.7.1.11";

    /// <summary>id-ad-ocsp (RFC 5280 4.2.2.1).</summary>
    public const string AccessOcsp = "1.3.6.1.5.5.7.48.1";

    /// <summary>id-ad-caIssuers (RFC 5280 4.2.2.1).</summary>
    public const string AccessCaIssuers = "1.3.6.1.5.5.7.48.2";

    /// <summary>id-pkix-ocsp-basic (RFC 6960 4.2.1).</summary>
    public const string OcspBasic = "1.3.6.1.5.5.7.48.1.1";

    /// <summary>id-pkix-ocsp-nonce (RFC 6960 4.4.1).</summary>
    public const string OcspNonce = "1.3.6.1.5.5.7.48.1.2";

    /// <summary>id-pkix-ocsp-nocheck (RFC 6960 4.2.2.2.1).</summary>
    public const string OcspNoCheck = "1.3.6.1.5.5.7.48.1.5";

    /// <summary>id-kp-serverAuth (RFC 5280).</summary>
    public const string ServerAuth = "1.3.6.1.5.5.7.3.1";

    /// <summary>id-kp-clientAuth (RFC 5280).</summary>
    public const string ClientAuth = "1.3.6.1.5.5.7.3.2";

    /// <summary>id-kp-timeStamping (RFC 3161 2.3).</summary>
    public const string TimeStamping = "1.3.6.1.5.5.7.3.8";

    /// <summary>id-kp-OCSPSigning (RFC 6960 4.2.2.2).</summary>
    public const string OcspSigning = "1.3.6.1.5.5.7.3.9";

    /// <summary>anyExtendedKeyUsage (RFC 5280 4.2.1.12).</summary>
    public const string AnyPurpose = "2.5.29.37.0";

    /// <summary>id-kp-documentSigning (RFC 9336).</summary>
    public const string DocumentSigning = "1.3.6.1.5.5.7.3.36";

    /// <summary>id-data (RFC 5652).</summary>
    public const string CmsData = "1.2.840.113549.1.7.1";

    /// <summary>id-signedData (RFC 5652).</summary>
    public const string CmsSignedData = "1.2.840.113549.1.7.2";

    /// <summary>contentType attribute (RFC 5652 11.1).</summary>
    public const string ContentTypeAttribute = "1.2.840.113549.1.9.3";

    /// <summary>messageDigest attribute (RFC 5652 11.2).</summary>
    public const string MessageDigestAttribute = "1.2.840.113549.1.9.4";

    /// <summary>signingTime attribute (RFC 5652 11.3).</summary>
    public const string SigningTimeAttribute = "1.2.840.113549.1.9.5";

    /// <summary>countersignature attribute (RFC 5652 11.4).</summary>
    public const string CountersignatureAttribute = "1.2.840.113549.1.9.6";

    /// <summary>signing-certificate-v2 attribute (RFC 5035).</summary>
    public const string SigningCertificateV2 = "1.2.840.113549.1.9.16.2.47";

    /// <summary>signature-time-stamp attribute (RFC 3161 appendix A).</summary>
    public const string SignatureTimeStamp = "1.2.840.113549.1.9.16.2.14";

    /// <summary>id-ct-TSTInfo (RFC 3161 2.4.2).</summary>
    public const string TstInfo = "1.2.840.113549.1.9.16.1.4";

    /// <summary>GB/T 35275 data.</summary>
    public const string GmData = "1.2.156.10197.6.1.4.2.1";

    /// <summary>GB/T 35275 signedData.</summary>
    public const string GmSignedData = "1.2.156.10197.6.1.4.2.2";
}
