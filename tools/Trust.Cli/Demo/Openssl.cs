using Trust.Cli.Local;

namespace Trust.Cli.Demo;

/// <summary>The openssl command as an outside judge, with only published files.</summary>
public static class Openssl
{
    /// <summary>Judges a chain hop by hop under the root.</summary>
    public static Task Chain(string root, string intermediate, string leaf, CancellationToken ct) =>
        Command.Run("openssl", ["verify", "-x509_strict", "-CAfile", root, "-untrusted", intermediate, leaf], ct);

    /// <summary>Judges a CRL's signature under its issuer; returns its text.</summary>
    public static async Task<string> Crl(string issuer, string root, string crl, CancellationToken ct)
    {
        var bundle = crl + ".issuers.pem";
        await File.WriteAllTextAsync(bundle, await File.ReadAllTextAsync(issuer, ct) + await File.ReadAllTextAsync(root, ct), ct);
        // openssl crl tells the verdict on standard error and ends with 0 either way.
        var (_, text, verdict) = await Command.Try("openssl", ["crl", "-inform", "DER", "-in", crl, "-CAfile", bundle, "-noout", "-text"], ct);
        return verdict.Contains("verify OK", StringComparison.Ordinal) ? text : throw new DemoException("openssl refuses the CRL: " + verdict);
    }

    /// <summary>Asks the responder about a certificate and judges the answer; returns openssl's words.</summary>
    public static async Task<string> Ocsp(string root, string issuer, string certificate, string url, CancellationToken ct)
    {
        var (code, output, error) = await Command.Try(
            "openssl", ["ocsp", "-issuer", issuer, "-cert", certificate, "-url", url, "-CAfile", root, "-verify_other", issuer, "-resp_text"], ct);
        return code == 0 && error.Contains("Response verify OK", StringComparison.Ordinal) ? output : throw new DemoException("openssl refuses the OCSP answer: " + error);
    }

    /// <summary>Judges a time-stamp token over bytes.</summary>
    public static Task TimeStamp(string root, string intermediate, string data, string token, CancellationToken ct) =>
        Command.Run("openssl", ["ts", "-verify", "-data", data, "-in", token, "-token_in", "-CAfile", root, "-untrusted", intermediate], ct);
}
