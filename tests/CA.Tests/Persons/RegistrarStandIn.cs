using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Trust.CA.Persons;
using Trust.Crypto;
using Trust.Kernel.Identifiers;

namespace Trust.CA.Tests.Persons;

/// <summary>How a registrar fails.</summary>
public enum RegistrarFault
{
    None, Away, Refuses, TooFew, NoPoint, NoIdentifier, NoJson, SomeoneElse,
}

/// <summary>Another region's ca that gives identifiers: the real answers, by a key in software.</summary>
internal sealed class RegistrarStandIn
{
    /// <summary>Its name as a peer.</summary>
    public const string Name = "ca-registrar";

    private readonly ECDiffieHellman _key = ECDiffieHellman.Create(ECCurve.NamedCurves.nistP256);
    private readonly ConcurrentDictionary<string, string> _given = new(StringComparer.Ordinal);

    // Whoever was given an identifier before everyone else.
    private volatile string? _first;

    /// <summary>How it fails now.</summary>
    public RegistrarFault Fault { get; set; }

    /// <summary>Everything that it was sent.</summary>
    public ConcurrentQueue<string> Seen { get; } = new();

    public void Map(WebApplication app)
    {
        app.MapPost(EvaluateTags.Path, (Delegate)(async (HttpContext context) =>
        {
            var request = JsonSerializer.Deserialize(await Body(context), CaJson.Default.EvaluationRequest)!;
            var evaluated = request.Blinded.Select(b => Fault is RegistrarFault.NoPoint ? Enumerable.Repeat((byte)0xff, 32).ToArray() : Times(b)).ToList();
            return Answer(context, JsonSerializer.Serialize(new EvaluationResponse(Fault is RegistrarFault.TooFew ? evaluated[1..] : evaluated), CaJson.Default.EvaluationResponse));
        }));
        app.MapPost(GiveIdentifiers.Path, (Delegate)(async (HttpContext context) =>
        {
            var request = JsonSerializer.Deserialize(await Body(context), CaJson.Default.IdentifierRequest)!;
            var persons = request.Tags.Select(t => _given.GetOrAdd(Convert.ToHexString(t), _ => PersonId.New(DateTimeOffset.UtcNow).Value)).ToList();
            _first ??= persons[0];
            return Answer(context, JsonSerializer.Serialize(new IdentifierResponse([.. persons.Select(p => Fault switch { RegistrarFault.NoIdentifier => p[..^1] + "!", RegistrarFault.SomeoneElse => _first!, _ => p })]), CaJson.Default.IdentifierResponse));
        }));
    }

    private IResult Answer(HttpContext context, string json)
    {
        if (Fault is RegistrarFault.Away)
        {
            context.Abort();
        }

        return Fault is RegistrarFault.Refuses ? Results.StatusCode(503) : Results.Text(Fault is RegistrarFault.NoJson ? "{" : json, "application/json");
    }

    private async Task<string> Body(HttpContext context)
    {
        using var reader = new StreamReader(context.Request.Body);
        var body = await reader.ReadToEndAsync();
        Seen.Enqueue(body);
        return body;
    }

    private byte[] Times(byte[] element)
    {
        _ = ObliviousPrf.TryToPoint(element, out var point);
        using var other = ECDiffieHellman.Create(new ECParameters { Curve = ECCurve.NamedCurves.nistP256, Q = new ECPoint { X = point[1..33], Y = point[33..] } });
        return _key.DeriveRawSecretAgreement(other.PublicKey);
    }
}
