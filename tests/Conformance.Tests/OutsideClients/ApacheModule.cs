using System.Diagnostics;
using System.Globalization;
using Trust.Cli.Local;
using Trust.Conformance.Tests.Suite;
using Trust.TestKit;

namespace Trust.Conformance.Tests.OutsideClients;

/// <summary>An Apache of its own with mod_auth_openidc of the distribution: it guards one folder and says there who came.</summary>
internal sealed class ApacheModule : IAsyncDisposable
{
    private readonly Process _process;

    private ApacheModule(Process process, string address) => (_process, Address) = (process, address);

    public string Address { get; }

    public static int NewPort() => PostgresCluster.FreePort();

    public static string Redirect(int port) => string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}/guarded/callback");

    public static async Task<ApacheModule> Start(ConformanceRun run, RelyingParty client, int port)
    {
        var root = Scratch.Directory("apache");
        Directory.CreateDirectory(Path.Combine(root, "www", "guarded"));
        Directory.CreateDirectory(Path.Combine(root, "cache"), (UnixFileMode)Convert.ToInt32("777", 8));
        File.SetUnixFileMode(Path.Combine(root, "cache"), (UnixFileMode)Convert.ToInt32("777", 8));
        await File.WriteAllTextAsync(Path.Combine(root, "www", "guarded", "index.html"), "guarded");
        string[] modules = ["mpm_event", "authz_core", "authz_user", "authn_core", "auth_openidc", "dir", "headers", "setenvif"];
        var file = Path.Combine(root, "apache.conf");
        await File.WriteAllTextAsync(file, string.Create(CultureInfo.InvariantCulture, $$"""
            ServerRoot {{root}}
            ServerName 127.0.0.1
            PidFile {{root}}/pid
            ErrorLog {{root}}/error.log
            Listen 127.0.0.1:{{port}}
            {{string.Join('\n', modules.Select(m => $"LoadModule {m}_module /usr/lib/apache2/modules/mod_{m}.so"))}}
            User nobody
            Group nogroup
            DocumentRoot {{root}}/www
            DirectoryIndex index.html
            OIDCProviderMetadataURL {{run.Provider.Issuer}}/.well-known/openid-configuration
            OIDCClientID {{client.Id}}
            OIDCClientSecret {{client.Secret}}
            OIDCRedirectURI {{Redirect(port)}}
            OIDCCryptoPassphrase {{Jwt.Random()}}
            OIDCScope "openid profile"
            OIDCCABundlePath {{run.Provider.RootFile}}
            OIDCCacheType shm
            <Location /guarded>
              AuthType openid-connect
              Require valid-user
              Header set X-Sub "expr=%{reqenv:OIDC_CLAIM_sub}"
            </Location>
            """));
        var process = Command.Start("/usr/sbin/apache2", ["-f", file, "-DFOREGROUND"], null, redirect: false);
        var module = new ApacheModule(process, string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}/guarded/"));
        using var http = Connections.Client(null);
        await Eventually.Holds(async () =>
        {
            Assert.False(process.HasExited, "apache ended; see " + root);
            try
            {
                using var answer = await http.GetAsync(module.Address);
                return true;
            }
            catch (HttpRequestException)
            {
                return false;
            }
        }, "apache answers");
        return module;
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
}
