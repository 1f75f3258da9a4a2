using System.Buffers.Text;
using System.Diagnostics;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using Trust.Cli.Demo;
using Trust.Cli.Local;
using Trust.TestKit;

namespace Trust.EndToEnd.Tests.StockClient;

/// <summary><c>login.js</c> as a process: a relying party made of the npm package openid-client, registered with a key of its own. Installed once by <c>npm ci</c> from the lock file.</summary>
internal sealed class NodeClient : IAsyncDisposable
{
    public const string Id = "stock-client";
    private readonly Process _process;

    private NodeClient(Process process) => _process = process;

    public static async Task<NodeClient> Start(RunningTrust trust, ECDsa key, CancellationToken ct)
    {
        var folder = await Install(ct);
        var scratch = Scratch.Directory("stock-client");
        await Register(trust, key, Path.Combine(scratch, "client.json"), ct);
        var parameters = key.ExportParameters(includePrivateParameters: true);
        var settings = Path.Combine(scratch, "settings.json");
        await File.WriteAllTextAsync(settings, new JsonObject
        {
            ["issuer"] = trust.Installation.Addresses.Idp, ["clientId"] = Id, ["redirect"] = RunningTrust.Redirect, ["scope"] = "openid profile rx.sign",
            ["key"] = new JsonObject
            {
                ["kty"] = "EC", ["crv"] = "P-256", ["kid"] = "k1", ["x"] = Base64Url.EncodeToString(parameters.Q.X), ["y"] = Base64Url.EncodeToString(parameters.Q.Y),
                ["d"] = Base64Url.EncodeToString(parameters.D),
            },
        }.ToJsonString(), ct);
        return new NodeClient(Command.Start("node", [Path.Combine(folder, "login.js"), settings],
            new Dictionary<string, string>(StringComparer.Ordinal) { ["NODE_EXTRA_CA_CERTS"] = trust.Installation.RootFile }, redirect: true));
    }

    /// <summary>Where a browser must go.</summary>
    public Task<string> Address() => Line();

    /// <summary>Hands over where the browser was sent back to; answers claims, user info and introspection as the library gave them.</summary>
    public async Task<JsonElement> Redeem(string callback)
    {
        await _process.StandardInput.WriteLineAsync(callback);
        await _process.StandardInput.FlushAsync();
        return JsonElement.Parse(await Line());
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
        }

        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    private async Task<string> Line() =>
        await _process.StandardOutput.ReadLineAsync() ?? throw new InvalidOperationException("The client ended: " + await _process.StandardError.ReadToEndAsync());

    private static async Task Register(RunningTrust trust, ECDsa key, string file, CancellationToken ct)
    {
        await File.WriteAllTextAsync(file, new JsonArray(new JsonObject
        {
            ["client_id"] = Id, ["name_zh"] = "通用客户端", ["name_en"] = "Stock client", ["profile"] = "standard", ["grant_types"] = new JsonArray("authorization_code"),
            ["redirect_uris"] = new JsonArray(RunningTrust.Redirect), ["scopes"] = new JsonArray("openid", "profile", "rx.sign"), ["resources"] = new JsonArray(trust.Sign),
            ["institution"] = trust.World.Institutions[0], ["region"] = "510000", ["jwks"] = OAuthClient.Jwks(key),
        }).ToJsonString(), ct);
        await trust.Installation.Services["idp"].Verb("import-clients", ["--file", file], ct);
    }

    /// <summary>Installs the client, kept between runs as built outputs are; the lock file says when it is old.</summary>
    public static async Task<string> Install(CancellationToken ct)
    {
        var source = Path.Combine(AppContext.BaseDirectory, "StockClient");
        var folder = Directory.CreateDirectory(Path.Combine(Cli.Program.RepositoryRoot(), ".trust", "stock-client")).FullName;
        var (wanted, mark) = (Path.Combine(source, "package-lock.json"), Path.Combine(folder, "installed"));
        File.Copy(Path.Combine(source, "login.js"), Path.Combine(folder, "login.js"), overwrite: true);
        if (!File.Exists(mark) || await File.ReadAllTextAsync(mark, ct) != await File.ReadAllTextAsync(wanted, ct))
        {
            File.Copy(Path.Combine(source, "package.json"), Path.Combine(folder, "package.json"), overwrite: true);
            File.Copy(wanted, Path.Combine(folder, "package-lock.json"), overwrite: true);
            await Command.Run("npm", ["ci", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund"], ct);
            File.Copy(wanted, mark, overwrite: true);
        }

        return folder;
    }
}
