using System.CommandLine;
using Trust.Cli.Demo;
using Trust.Cli.Local;
using Trust.Pkcs11;
using Command = System.CommandLine.Command;

namespace Trust.Cli.Officers;

/// <summary>
/// An officer's card and the officers' address of the provider. Without options both are those of the development installation (<c>./trust up</c>); an officer elsewhere
/// names module, token, PIN file, certificates, address and root. The PIN is read from a file, never from an argument.
/// </summary>
internal sealed class OfficerConnection : IAsyncDisposable
{
    private static readonly Option<string> Label = new("--card") { Description = "The card's label.", DefaultValueFactory = _ => "officer-li", Recursive = true };
    private static readonly Option<string?> Module = new("--module") { Description = "PKCS#11 module of the card; without it the development installation's.", Recursive = true };
    private static readonly Option<string?> PinFile = new("--pin-file") { Description = "File with the card's PIN.", Recursive = true };
    private static readonly Option<DirectoryInfo?> Certificates = new("--certificates") { Description = "Folder with authentication.pem and signature.pem of the card.", Recursive = true };
    private static readonly Option<string?> Address = new("--url") { Description = "The provider's address for officers.", Recursive = true };
    private static readonly Option<FileInfo?> Root = new("--root") { Description = "Root certificate of the installation, PEM.", Recursive = true };

    private readonly HttpClient _http;

    private OfficerConnection(Card card, HttpClient http, string url) => (Card, _http, Api) = (card, http, new Api(http, url));

    /// <summary>The card.</summary>
    public Card Card { get; }

    /// <summary>The provider's officers' API.</summary>
    public Api Api { get; }

    /// <summary>Gives a command the options of a connection.</summary>
    public static Command With(Command command)
    {
        foreach (var option in (Option[])[Label, Module, PinFile, Certificates, Address, Root])
        {
            command.Options.Add(option);
        }

        return command;
    }

    /// <summary>Opens the card and connects by it.</summary>
    /// <exception cref="CommandFailedException">Options are missing.</exception>
    public static async Task<OfficerConnection> Open(ParseResult parsed, CancellationToken ct)
    {
        var label = parsed.GetValue(Label)!;
        if (parsed.GetValue(Module) is not { } module)
        {
            var local = Program.Local();
            return await Connect(await Card.Open(local.CardReader(), local.CardDirectory, label, ct), local.RootFile, local.Addresses.IdpOfficers, ct);
        }

        if (parsed.GetValue(PinFile) is not { } pin || parsed.GetValue(Certificates) is not { } folder || parsed.GetValue(Address) is not { } url || parsed.GetValue(Root) is not { } root)
        {
            throw new CommandFailedException("With --module name --pin-file, --certificates, --url and --root too.");
        }

        return await Connect(await Card.Open(new TokenOptions { ModulePath = module, TokenLabel = label, PinFile = pin, Sessions = 1 }, folder.FullName, ct), root.FullName, url.TrimEnd('/'), ct);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await Card.DisposeAsync();
    }

    private static async Task<OfficerConnection> Connect(Card card, string root, string url, CancellationToken ct) =>
        card.IsPersonalised ? new OfficerConnection(card, Connections.Client(root, await card.ForTls(Card.AuthenticationKey, ct)), url)
            : throw new CommandFailedException($"The card {card.Label} has no certificates: authentication.pem and signature.pem are expected beside it.");
}
