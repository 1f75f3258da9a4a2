using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Trust.Cli.Local;

namespace Trust.Cli.Demo;

/// <summary>A registration officer at work, by card over mutual TLS.</summary>
public sealed class Officer(Card card, HttpClient http, string url) : IAsyncDisposable
{
    /// <summary>The officer's card.</summary>
    public Card Card => card;

    /// <summary>The officer's calls.</summary>
    public Api Api { get; } = new(http, url);

    /// <summary>Opens an officer's card.</summary>
    public static async Task<Officer> Open(Installation installation, SoftHsm reader, string label, CancellationToken ct)
    {
        var card = await Card.Open(reader, installation.CardDirectory, label, ct);
        return new Officer(card, Connections.Client(installation.RootFile, await card.ForTls(Card.AuthenticationKey, ct)), installation.Addresses.Officers);
    }

    /// <summary>Files a certificate request with the identity proof; takes up the one that was made for the same key before an interruption.</summary>
    public async Task<JsonNode> RequestCertificate(string profile, string holder, string? institution, byte[] pkcs10, string carrier, CancellationToken ct)
    {
        var answer = await Api.Send(HttpMethod.Post, "/certificate-requests", new JsonObject
        {
            ["profile"] = profile, ["holder"] = holder, ["institution"] = institution, ["pkcs10"] = Convert.ToBase64String(pkcs10),
            ["identityProof"] = new JsonObject
            {
                ["method"] = "in-person", ["evidenceSha256"] = Convert.ToHexStringLower(SHA256.HashData(pkcs10)),
                ["performedAt"] = TimeProvider.System.GetUtcNow().AddMinutes(-5).ToString("O"), ["performedBy"] = card.Label,
            },
            ["carrier"] = new JsonObject { ["model"] = "SoftHSM-2.6", ["serial"] = carrier },
        }, null, ct);
        return answer.Status is 422 && await RequestOfKey(holder, pkcs10, ct) is { } earlier ? earlier : answer.Expect("/certificate-requests");
    }

    private async Task<JsonNode?> RequestOfKey(string holder, byte[] pkcs10, CancellationToken ct)
    {
        var key = Crypto.Asn1.CertificationRequest.Read(pkcs10) is Crypto.Asn1.RequestOutcome.Proved { Request: var request }
            ? Convert.ToHexStringLower(SHA256.HashData(request.Key.SubjectPublicKeyInfo.Span)) : null;
        foreach (var listed in (await Api.Get("/certificate-requests?limit=1000", ct)).AsArray().Where(r => r!["holder"]!.GetValue<string>() == holder))
        {
            var content = (await Api.Get($"/certificate-requests/{listed!["id"]}", ct))["content"]!;
            if (content["keySha256"]!.GetValue<string>() == key)
            {
                return content;
            }
        }

        return null;
    }

    /// <summary>Approves a request.</summary>
    public async Task<Answer> Approve(JsonNode request, CancellationToken ct) =>
        await Api.Send(HttpMethod.Post, $"/certificate-requests/{request["id"]}/approvals", await Approval(request, ct), null, ct);

    /// <summary>An approval not yet sent: the card signs the bytes that name request, profile and registry state by their hashes.</summary>
    public async Task<JsonObject> Approval(JsonNode request, CancellationToken ct) => new()
    {
        ["signature"] = Convert.ToBase64String(await card.Sign(Convert.FromBase64String(request["approval"]!.GetValue<string>()), ct)),
        ["certificate"] = Convert.ToBase64String(card.Signature.Der.Span),
    };

    /// <summary>The issued chain, PEM, leaf first.</summary>
    /// <exception cref="DemoException">Nothing was issued.</exception>
    public async Task<string> Issued(JsonNode request, CancellationToken ct)
    {
        var state = await Api.Get($"/certificate-requests/{request["id"]}", ct);
        return state["certificates"]?.GetValue<string>() ?? throw new DemoException($"Nothing was issued: {state.ToJsonString()}");
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        http.Dispose();
        await card.DisposeAsync();
    }
}
