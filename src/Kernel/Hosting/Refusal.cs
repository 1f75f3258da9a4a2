using System.Collections.Frozen;
using System.Globalization;
using System.Reflection;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Unicode;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.DependencyInjection;

namespace Trust.Kernel.Hosting;

/// <summary>
/// One rule that refuses: an entry of a service's catalogue (a class marked <see cref="RefusalCatalogueAttribute"/>), from which
/// docs/PROBLEMS.md is generated. As an answer it is RFC 9457 problem details of type <c>urn:trust:problem:&lt;service&gt;:&lt;name&gt;</c>;
/// a protocol that fixes its own body renders it in that.
/// </summary>
/// <param name="Name">The rule in kebab case; stable, callers match on it.</param>
/// <param name="Status">HTTP status code.</param>
/// <param name="Chinese">What was wrong and what to do next, in Chinese. <c>{member}</c> stands for a value of <see cref="With"/>.</param>
/// <param name="English">The same in English.</param>
public sealed record Refusal(string Name, int Status, string Chinese, string English) : IResult, IStatusCodeHttpResult, IEndpointMetadataProvider
{
    // Chinese stays readable; what HTML could take for markup is escaped all the same.
    private static readonly JavaScriptEncoder Readable = JavaScriptEncoder.Create(UnicodeRanges.All);

    private FrozenDictionary<string, object?> Members { get; init; } = FrozenDictionary<string, object?>.Empty;

    int? IStatusCodeHttpResult.StatusCode => Status;

    /// <summary>The refusal about something in particular: fills <c>{member}</c> in the texts, and is a member of the problem body.</summary>
    /// <param name="member">Name in camel case.</param>
    /// <param name="value">Never a secret, never an exception's text, never text of the caller's that could be taken for ours.</param>
    public Refusal With(string member, object? value) =>
        this with { Members = Members.Append(new(member, value)).ToFrozenDictionary(StringComparer.Ordinal) };

    /// <summary>What was wrong and what to do, in the language that a reader prefers.</summary>
    /// <param name="acceptLanguage">The value of Accept-Language; Chinese when it prefers any Chinese, else English.</param>
    public string Detail(string? acceptLanguage) => Fill(PrefersChinese(acceptLanguage) ? Chinese : English);

    /// <summary>Writes the problem.</summary>
    public async Task ExecuteAsync(HttpContext httpContext)
    {
        ArgumentNullException.ThrowIfNull(httpContext);
        var service = httpContext.RequestServices.GetRequiredService<ServiceDefinition>().Name;
        var languages = httpContext.Request.Headers.AcceptLanguage.ToString();
        var response = httpContext.Response;
        response.StatusCode = Status;
        response.ContentType = "application/problem+json";
        response.Headers.ContentLanguage = PrefersChinese(languages) ? "zh-CN" : "en";
        await using var json = new Utf8JsonWriter(response.BodyWriter, new JsonWriterOptions { Encoder = Readable });
        json.WriteStartObject();
        json.WriteString("type", $"urn:trust:problem:{service}:{Name}");
        json.WriteString("title", Name);
        json.WriteNumber("status", Status);
        json.WriteString("detail", Detail(languages));
        foreach (var (member, value) in Members.OrderBy(m => m.Key, StringComparer.Ordinal))
        {
            json.WritePropertyName(member);
            JsonSerializer.Serialize(json, value, ProblemValues.Default.Options);
        }

        json.WriteEndObject();
        await json.FlushAsync(httpContext.RequestAborted);
        // Where something in front keeps the answer, the body is a stream of its own that nobody else flushes.
        await response.BodyWriter.FlushAsync(httpContext.RequestAborted);
    }

    static void IEndpointMetadataProvider.PopulateMetadata(MethodInfo method, EndpointBuilder builder) =>
        builder.Metadata.Add(new ProducesResponseTypeMetadata(StatusCodes.Status400BadRequest, typeof(ProblemDetails), ["application/problem+json"]));

    private string Fill(string text)
    {
        foreach (var (member, value) in Members)
        {
            text = text.Replace("{" + member + "}", Convert.ToString(value, CultureInfo.InvariantCulture), StringComparison.Ordinal);
        }

        return text;
    }

    // RFC 9110 12.5.4 in the little that two languages need: the first of the two that is named wins.
    private static bool PrefersChinese(string? acceptLanguage)
    {
        foreach (var range in (acceptLanguage ?? "").Split(',', 16, StringSplitOptions.TrimEntries))
        {
            if (range.StartsWith("zh", StringComparison.Ordinal))
            {
                return true;
            }

            if (range.StartsWith("en", StringComparison.Ordinal))
            {
                return false;
            }
        }

        return false;
    }
}

/// <summary>Marks a class whose public static fields are the refusals of a service.</summary>
/// <param name="service">The service's name; <c>*</c> for those that every service may give.</param>
[AttributeUsage(AttributeTargets.Class)]
public sealed class RefusalCatalogueAttribute(string service) : Attribute
{
    /// <summary>The service's name, or <c>*</c>.</summary>
    public string Service => service;

    /// <summary>Every refusal that an assembly's catalogues hold, by service.</summary>
    public static IEnumerable<(string Service, Refusal Refusal)> In(Assembly assembly)
    {
        ArgumentNullException.ThrowIfNull(assembly);
        return assembly.GetTypes().Select(type => (type, type.GetCustomAttribute<RefusalCatalogueAttribute>())).Where(t => t.Item2 is not null)
            .SelectMany(t => t.type.GetFields(BindingFlags.Public | BindingFlags.Static).Select(f => f.GetValue(null)).OfType<Refusal>().Select(r => (t.Item2!.Service, r)));
    }
}

/// <summary>What members of a problem may hold.</summary>
[System.Text.Json.Serialization.JsonSerializable(typeof(string))]
[System.Text.Json.Serialization.JsonSerializable(typeof(int))]
[System.Text.Json.Serialization.JsonSerializable(typeof(long))]
[System.Text.Json.Serialization.JsonSerializable(typeof(bool))]
[System.Text.Json.Serialization.JsonSerializable(typeof(DateTimeOffset))]
[System.Text.Json.Serialization.JsonSerializable(typeof(string[]))]
[System.Text.Json.Serialization.JsonSerializable(typeof(object))]
internal sealed partial class ProblemValues : System.Text.Json.Serialization.JsonSerializerContext;
