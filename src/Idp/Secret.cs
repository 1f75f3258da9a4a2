using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace Trust.Idp;

/// <summary>A 256-bit bearer value: given out once, kept only as its SHA-256, so that a database reader cannot use it.</summary>
public static class Secret
{
    /// <summary>A new value, 43 characters of base64url.</summary>
    public static string New() => Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32));

    /// <summary>What the database keeps. Prefixed by its purpose, so that a value of one kind is never accepted as another (CVE-2026-4282).</summary>
    public static byte[] Hash(string purpose, string value) => SHA256.HashData(Encoding.UTF8.GetBytes(purpose + "\n" + value));
}
