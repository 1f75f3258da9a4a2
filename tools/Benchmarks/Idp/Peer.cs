using System.Globalization;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Trust.Cli.Demo;
using Trust.Cli.Local;

namespace Trust.Benchmarks.Idp;

/// <summary>
/// The npm package <c>oidc-provider</c> on this machine: in memory, over HTTPS, signing ES256 as ours does, with a client of the same kind. Installed
/// by <c>npm ci</c> from the lock file in <c>peer/</c>; only for measuring beside.
/// </summary>
internal sealed class Peer : IAsyncDisposable
{
    private readonly System.Diagnostics.Process _process;
    private readonly ECDsa _key;

    private Peer(System.Diagnostics.Process process, ECDsa key, string url, string rootFile, string refreshToken)
    {
        RefreshToken = refreshToken;
        (_process, _key, Url, RootFile) = (process, key, url, rootFile);
        Client = new OAuthClient("bench", key, url, rootFile);
    }

    /// <summary>Its issuer.</summary>
    public string Url { get; }

    /// <summary>Its TLS certificate, self-signed.</summary>
    public string RootFile { get; }

    /// <summary>A refresh token of its client.</summary>
    public string RefreshToken { get; }

    /// <summary>The one client it knows.</summary>
    public OAuthClient Client { get; }

    /// <summary>Starts the peer, or says why there is none.</summary>
    public static async Task<(Peer? Peer, string Why)> TryStart(BenchRun run, CancellationToken ct)
    {
        try
        {
            return (await Start(run, ct), "");
        }
        catch (Exception e) when (e is CommandFailedException or IOException or InvalidOperationException)
        {
            return (null, "npm oidc-provider could not be run beside: " + e.Message.ReplaceLineEndings(" "));
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _process.StandardInput.Close();
        await _process.WaitForExitAsync();
        _process.Dispose();
        _key.Dispose();
    }

    private static async Task<Peer> Start(BenchRun run, CancellationToken ct)
    {
        var source = Path.Combine(Cli.Program.RepositoryRoot(), "tools", "Benchmarks", "peer");
        // Kept between runs beside the installation: nothing is written into the sources.
        var folder = Directory.CreateDirectory(Path.Combine(Cli.Program.RepositoryRoot(), ".trust", "bench-peer")).FullName;
        await Install(source, folder, ct);
        var scratch = run.Scratch("peer");
        var (certificate, tlsKey) = (Path.Combine(scratch, "certificate.pem"), Path.Combine(scratch, "key.pem"));
        await WriteTls(certificate, tlsKey, ct);
        var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var configuration = Path.Combine(scratch, "peer.json");
        await File.WriteAllTextAsync(configuration, new JsonObject
        {
            ["certificate"] = certificate, ["key"] = tlsKey, ["port"] = PostgresCluster.FreePort(), ["redirect"] = BenchRun.Redirect, ["jwks"] = OAuthClient.Jwks(key),
        }.ToJsonString(), ct);
        var process = Command.Start("node", [Path.Combine(folder, "server.js"), configuration],
            new Dictionary<string, string>(StringComparer.Ordinal) { ["NODE_ENV"] = "production" }, redirect: true);
        // What it prints beside the address must not fill a pipe.
        _ = process.StandardError.ReadToEndAsync(ct);
        var url = await process.StandardOutput.ReadLineAsync(ct) ?? throw new InvalidOperationException("it ended at once");
        var token = await process.StandardOutput.ReadLineAsync(ct) ?? throw new InvalidOperationException("it ended at once");
        _ = process.StandardOutput.ReadToEndAsync(ct);
        return new Peer(process, key, url, certificate, token);
    }

    private static async Task Install(string source, string folder, CancellationToken ct)
    {
        var (wanted, mark) = (Path.Combine(source, "package-lock.json"), Path.Combine(folder, "installed"));
        File.Copy(Path.Combine(source, "server.js"), Path.Combine(folder, "server.js"), overwrite: true);
        if (File.Exists(mark) && await File.ReadAllTextAsync(mark, ct) == await File.ReadAllTextAsync(wanted, ct))
        {
            return;
        }

        await Console.Error.WriteLineAsync("Installing the peer (npm ci) …");
        File.Copy(Path.Combine(source, "package.json"), Path.Combine(folder, "package.json"), overwrite: true);
        File.Copy(wanted, Path.Combine(folder, "package-lock.json"), overwrite: true);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(TimeSpan.FromMinutes(1));
        try
        {
            await Command.Run("npm", ["ci", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund"], limit.Token);
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            throw new CommandFailedException("npm ci took more than a minute.");
        }

        File.Copy(wanted, mark, overwrite: true);
    }

    private static async Task WriteTls(string certificateFile, string keyFile, CancellationToken ct)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        var now = TimeProvider.System.GetUtcNow();
        using var certificate = request.CreateSelfSigned(now.AddHours(-1), now.AddDays(1));
        await File.WriteAllTextAsync(certificateFile, certificate.ExportCertificatePem(), ct);
        await using var stream = new FileStream(keyFile, new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite });
        await stream.WriteAsync(System.Text.Encoding.ASCII.GetBytes(key.ExportPkcs8PrivateKeyPem()), ct);
    }
}
