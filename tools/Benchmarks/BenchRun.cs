using System.Text.Json.Nodes;
using Trust.Cli.Demo;
using Trust.Cli.Local;
using Trust.Pkcs11;

namespace Trust.Benchmarks;

/// <summary>
/// What the rows of one run share: an installation of its own (two clusters, tokens, the four built services as processes) with the sample people
/// enrolled, made when a row first asks and deleted at the end.
/// </summary>
internal sealed class BenchRun(bool extended) : IAsyncDisposable
{
    private readonly string _directory = Path.Combine(Cli.Program.RepositoryRoot(), ".trust", "bench");
    private Task<World>? _world;
    private Installation? _installation;
    private Task<Ledger.BigLog>? _bigLog;

    /// <summary>True for <c>--long</c>.</summary>
    public bool Extended => extended;

    /// <summary>How long one slice of a measurement lasts at most.</summary>
    public TimeSpan Slice => TimeSpan.FromSeconds(extended ? 30 : 3);

    /// <summary>Redirect URI of the hospital's workstation in the samples; nothing needs to listen there.</summary>
    public static string Redirect => "https://127.0.0.10:9443/callback";

    /// <summary>The running installation and its people.</summary>
    /// <exception cref="CommandFailedException">It could not be started; every row that needs it then says so.</exception>
    public Task<World> World(CancellationToken ct) => _world ??= Open(ct);

    /// <summary>A log of ten million events, made when a row first asks; takes minutes.</summary>
    public Task<Ledger.BigLog> BigLog(CancellationToken ct) => _bigLog ??= Ledger.BigLog.Make(ct);

    /// <summary>Folder for what a row needs to write; deleted at the end.</summary>
    public string Scratch(string name) => Directory.CreateDirectory(Path.Combine(_directory, "scratch", name)).FullName;

    /// <summary>Registers one more outside system and gives its client.</summary>
    /// <param name="world">Whose provider.</param>
    /// <param name="registration">As in <c>samples/clients.json</c>; <c>jwks</c> is filled in.</param>
    /// <param name="key">Its key for <c>private_key_jwt</c>.</param>
    /// <param name="ct">Cancels.</param>
    public async Task<OAuthClient> Register(World world, JsonObject registration, System.Security.Cryptography.ECDsa key, CancellationToken ct)
    {
        var id = registration["client_id"]!.GetValue<string>();
        registration["jwks"] = OAuthClient.Jwks(key);
        var file = Path.Combine(Scratch("clients"), id + ".json");
        await File.WriteAllTextAsync(file, new JsonArray(registration).ToJsonString(), ct);
        await world.Installation.Services["idp"].Verb("import-clients", ["--file", file], ct);
        return new OAuthClient(id, key, world.Installation.Addresses.Idp, world.Installation.RootFile);
    }

    /// <summary>A P-256 key in a token of the kind the services use, for raw C_Sign.</summary>
    public static async Task<Pkcs11Token> RawToken(World world, CancellationToken ct)
    {
        var folder = Path.Combine(world.Installation.CardDirectory, "raw");
        Directory.CreateDirectory(folder);
        var token = await Pkcs11Token.Open(world.Reader.InitToken("raw", Path.Combine(folder, "pin")), ct);
        if (await token.Find(RawKey, ct) is null)
        {
            await token.Generate(RawKey, KeyAlgorithm.EcdsaP256, ct);
        }

        return token;
    }

    /// <summary>The key of <see cref="RawToken"/>.</summary>
    public static KeyRef RawKey { get; } = new("raw");

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_world is { IsCompletedSuccessfully: true })
        {
            await (await _world).DisposeAsync();
        }

        if (_bigLog is { IsCompletedSuccessfully: true })
        {
            await (await _bigLog).DisposeAsync();
        }

        if (_installation is not null)
        {
            await _installation.Reset(CancellationToken.None);
        }
    }

    private async Task<World> Open(CancellationToken ct)
    {
        _installation = new Installation(_directory, AddressPlan.FreePorts(), Cli.Program.RepositoryRoot()) { Unlimited = true };
        // An interrupted run may have left processes and data.
        await _installation.Reset(ct);
        await _installation.Start(step => Console.Error.WriteLine(step + " …"), ct);
        await Console.Error.WriteLineAsync("Enrolling the sample people …");
        var world = await Cli.Demo.World.Open(_installation, Cli.Program.RepositoryRoot(), ct);
        await world.ImportRegistry(ct);
        await world.RegisterClients(ct);
        await world.Enrol(0, ct);
        await world.Enrol(1, ct);
        await world.EnrolSeal(ct);
        return world;
    }
}
