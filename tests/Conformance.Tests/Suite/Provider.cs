using System.Text.Json.Nodes;
using Microsoft.IdentityModel.Tokens;
using Trust.Cli.Local;

namespace Trust.Conformance.Tests.Suite;

/// <summary>The provider as its discovery document describes it: no other address is ever called.</summary>
internal sealed class Provider(string issuer, string rootFile)
{
    private JsonObject? _metadata;

    public string Issuer => issuer;

    public string RootFile => rootFile;

    public async Task<JsonObject> Metadata()
    {
        if (_metadata is null)
        {
            using var http = Connections.Client(rootFile);
            _metadata = JsonNode.Parse(await http.GetStringAsync(issuer + "/.well-known/openid-configuration"))!.AsObject();
        }

        return _metadata;
    }

    /// <summary>Address of an endpoint; the one for certificates where there is one (RFC 8705 5).</summary>
    public async Task<string> Endpoint(string name, bool mutualTls = false)
    {
        var metadata = await Metadata();
        var alias = mutualTls ? metadata["mtls_endpoint_aliases"]?[name]?.GetValue<string>() : null;
        return alias ?? metadata[name]?.GetValue<string>() ?? throw new Xunit.Sdk.XunitException($"{name} does not stand in the discovery document.");
    }

    public async Task<IReadOnlyList<string>> List(string name) => (await Metadata())[name] is JsonArray list ? [.. list.Select(v => v!.GetValue<string>())] : [];

    public async Task<bool> Says(string name) => (await Metadata())[name] is JsonValue value && value.GetValue<bool>();

    /// <summary>The published keys, read anew.</summary>
    public async Task<JsonWebKeySet> Keys()
    {
        using var http = Connections.Client(rootFile);
        return new JsonWebKeySet(await http.GetStringAsync(await Endpoint("jwks_uri")));
    }
}
