using System.Reflection;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.OpenApi;

namespace Trust.Kernel.Hosting;

/// <summary>
/// The service's OpenAPI document, generated from its mapped routes, and a page to read it: script and document come from this service, nothing from
/// elsewhere. What a row of the route table says of callers, repeats and refusals stands in the document.
/// </summary>
internal sealed partial class ApiDocument(IServiceProvider services)
{
    private const string Name = "v1";
    private const string Policy =
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'";

    private byte[]? _document;

    /// <summary>Registers the generator.</summary>
    public static void Add(IServiceCollection services, string service) => services.AddOpenApi(Name, options =>
    {
        options.OpenApiVersion = OpenApiSpecVersion.OpenApi3_1;
        options.AddOperationTransformer((operation, context, _) => Describe(operation, context));
        options.AddDocumentTransformer((document, _, _) => Complete(document, service));
    });

    /// <summary>The rows of document and page.</summary>
    public static void Map(RouteTable routes) => routes
        .Get<ApiDocument>("/openapi/v1.json", Who.Anyone, Limit.Read, e => e.Document, "The OpenAPI document of this service.", Route.Uncompared)
        .Get("/docs", Who.Anyone, Limit.Read, (HttpContext c) => Asset(c, "Trust.Kernel.Hosting.Docs.docs.html", "text/html; charset=utf-8"), "The document, to read.", Route.Uncompared)
        .Get("/docs/init.js", Who.Anyone, Limit.Read, (HttpContext c) => Asset(c, "Trust.Kernel.Hosting.Docs.init.js", "text/javascript; charset=utf-8"), "Starts the reader.", Route.Uncompared)
        .Get("/docs/scalar.js", Who.Anyone, Limit.Read, Reader, "The reader's script.", Route.Uncompared);

    private async Task<IResult> Document(CancellationToken ct)
    {
        if (_document is null)
        {
            var document = await services.GetRequiredKeyedService<IOpenApiDocumentProvider>(Name).GetOpenApiDocumentAsync(ct);
            using var memory = new MemoryStream();
            await document.SerializeAsJsonAsync(memory, OpenApiSpecVersion.OpenApi3_1, ct);
            _document = memory.ToArray();
        }

        return Results.Bytes(_document, "application/json");
    }

    private static IResult Asset(HttpContext context, string resource, string type)
    {
        context.Response.Headers.ContentSecurityPolicy = Policy;
        context.Response.Headers.XContentTypeOptions = "nosniff";
        return Results.Stream(Assembly.GetExecutingAssembly().GetManifestResourceStream(resource)!, type);
    }

    private static IResult Reader(HttpContext context)
    {
        context.Response.Headers.CacheControl = "public, max-age=3600";
        // The package holds it compressed.
        context.Response.Headers.ContentEncoding = "gzip";
        return Results.Stream(typeof(Scalar.AspNetCore.ScalarOptions).Assembly.GetManifestResourceStream("ScalarStaticAssets.scalar.js")!, "text/javascript; charset=utf-8");
    }

    private static Task Describe(OpenApiOperation operation, OpenApiOperationTransformerContext context)
    {
        if (context.Description.ActionDescriptor.EndpointMetadata.OfType<Route>().LastOrDefault() is not { } route)
        {
            return Task.CompletedTask;
        }

        operation.OperationId = string.Join('_', Word().Matches($"{context.Description.HttpMethod!.ToLowerInvariant()} {context.Description.RelativePath}").Select(m => m.Value));
        operation.Description = $"Caller: {route.Who}. Limit: {route.Limit}.";
        operation.Security = [.. Security(route.Who, context.Document)];
        operation.Responses ??= [];
        if (!operation.Responses.Keys.Any(status => status[0] is '2' or '3'))
        {
            operation.Responses["200"] = new OpenApiResponse { Description = "The answer, in a media type of its own." };
        }

        operation.Responses["default"] = new OpenApiResponse
        {
            Description = route.ProtocolBody is null ? "Refused (RFC 9457); the type names the rule." : "Refused, in the body that the protocol fixes.",
            Content = route.ProtocolBody is null
                ? new Dictionary<string, OpenApiMediaType> { ["application/problem+json"] = new() { Schema = new OpenApiSchemaReference("Problem", context.Document) } }
                : null,
        };
        if (route.Repeats is not Repeats.ByProtocol)
        {
            operation.Parameters ??= [];
            operation.Parameters.Add(new OpenApiParameter
            {
                Name = "Idempotency-Key", In = ParameterLocation.Header, Required = true, Description = "The same key and bytes get the same answer.",
                Schema = new OpenApiSchema { Type = JsonSchemaType.String, MinLength = 1, MaxLength = 128 },
            });
        }

        return Task.CompletedTask;
    }

    // Any one of the entries suffices (OpenAPI 3.1, Security Requirement Object).
    private static IEnumerable<OpenApiSecurityRequirement> Security(Who who, OpenApiDocument? document)
    {
        OpenApiSecurityRequirement By(string scheme, params List<string> scopes) => new() { [new OpenApiSecuritySchemeReference(scheme, document)] = scopes };
        switch (who)
        {
            case Who.Service:
                yield return By("service");
                break;
            case Who.CardHolder { Scope: var instead }:
                yield return By("card");
                if (instead is not null)
                {
                    yield return By("token", instead);
                }

                break;
            case Who.Bearer(var scope, var peers):
                yield return By("token", scope);
                if (peers.Count > 0)
                {
                    yield return By("service");
                }

                break;
        }
    }

    private static Task Complete(OpenApiDocument document, string service)
    {
        document.Info = new OpenApiInfo { Title = "Trust " + service, Version = Name };
        document.Servers = [];
        // HEAD answers as GET does, everywhere.
        foreach (var path in document.Paths.Values)
        {
            path.Operations?.Remove(HttpMethod.Head);
        }

        document.Components ??= new OpenApiComponents();
        document.Components.SecuritySchemes = new Dictionary<string, IOpenApiSecurityScheme>
        {
            ["token"] = new OpenApiSecurityScheme { Type = SecuritySchemeType.Http, Scheme = "bearer", BearerFormat = "at+jwt", Description = "Access token (RFC 9068) with the scope named." },
            ["service"] = new OpenApiSecurityScheme { Type = SecuritySchemeType.MutualTLS, Description = "Service certificate of this installation." },
            ["card"] = new OpenApiSecurityScheme { Type = SecuritySchemeType.MutualTLS, Description = "Certificate of a person's card." },
        };
        document.Components.Schemas ??= new Dictionary<string, IOpenApiSchema>();
        document.Components.Schemas["Problem"] = new OpenApiSchema
        {
            Type = JsonSchemaType.Object,
            Required = new HashSet<string> { "type", "title", "status", "detail" },
            Properties = new Dictionary<string, IOpenApiSchema>
            {
                ["type"] = new OpenApiSchema { Type = JsonSchemaType.String, Description = $"urn:trust:problem:{service}:<rule>" },
                ["title"] = new OpenApiSchema { Type = JsonSchemaType.String, Description = "The rule." },
                ["status"] = new OpenApiSchema { Type = JsonSchemaType.Integer },
                ["detail"] = new OpenApiSchema { Type = JsonSchemaType.String, Description = "What to do, in the language of Accept-Language." },
            },
        };
        return Task.CompletedTask;
    }

    // Without the constraint of a parameter: {id:guid} is id.
    [GeneratedRegex(@"(?<!:)\b[A-Za-z0-9]+", RegexOptions.None, 1000)]
    private static partial Regex Word();
}
