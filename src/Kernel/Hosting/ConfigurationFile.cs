using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Trust.Kernel.Hosting;

/// <summary>
/// The configuration file of a service: strict JSON, of known sections with known members. What is misspelt stops the start, because a service that
/// runs on defaults its operator believes changed is worse than one that does not run.
/// </summary>
internal static class ConfigurationFile
{
    /// <summary>Prefix of the key that tells an empty section from one that is not there, which the configuration's providers do not.</summary>
    internal const string Empty = "$empty:";

    private const int MaxBytes = 1024 * 1024;
    private static readonly string[] Common = ["Service", "Listen", "Database", "Token", "Tokens", "Peers", "Ledger", "RateLimits", "Logging"];

    /// <summary>Reads the file as the only source: an environment variable must not be able to redirect a peer or a token.</summary>
    /// <exception cref="ValidationException">It is missing, no JSON, or holds an unknown section; the message says which.</exception>
    public static void Add(WebApplicationBuilder builder, string file, ServiceDefinition service)
    {
        var path = Path.GetFullPath(file);
        var empty = CheckSections(path, service);
        ((IConfigurationBuilder)builder.Configuration).Sources.Clear();
        builder.Configuration.AddJsonFile(path, optional: false, reloadOnChange: false);
        builder.Configuration.AddInMemoryCollection(empty.Select(section => KeyValuePair.Create<string, string?>(Empty + section, "true")));
        AddLogging(builder);
    }

    private static List<string> CheckSections(string path, ServiceDefinition service)
    {
        try
        {
            if (new FileInfo(path) is not { Exists: true, Length: <= MaxBytes })
            {
                throw new ValidationException($"The configuration file {path} does not exist, or is larger than 1 MiB.");
            }

            using var document = JsonDocument.Parse(
                File.ReadAllBytes(path), new JsonDocumentOptions { AllowDuplicateProperties = false, CommentHandling = JsonCommentHandling.Skip, MaxDepth = 16, AllowTrailingCommas = true });
            if (document.RootElement.ValueKind is not JsonValueKind.Object)
            {
                throw new ValidationException($"The configuration file {path} is no JSON object.");
            }

            var empty = new List<string>();
            string[] known = [.. Common, .. service.Sections];
            foreach (var section in document.RootElement.EnumerateObject())
            {
                if (!known.Contains(section.Name, StringComparer.Ordinal))
                {
                    throw new ValidationException($"Configuration section {section.Name} is unknown; known are {string.Join(", ", known)}.");
                }

                if (section.Value.ValueKind is JsonValueKind.Object && !section.Value.EnumerateObject().Any())
                {
                    empty.Add(section.Name);
                }
            }

            return empty;
        }
        catch (Exception e) when (e is JsonException or IOException or UnauthorizedAccessException)
        {
            throw new ValidationException($"The configuration file {path} cannot be read: {e.Message}", e);
        }
    }

    // Logging:LogLevel:Default, and Logging:LogLevel:<category> for one part.
    private static void AddLogging(WebApplicationBuilder builder)
    {
        builder.Logging.SetMinimumLevel(LogLevel.Information).AddFilter("Microsoft", LogLevel.Warning).AddFilter("Npgsql", LogLevel.Warning)
            .AddFilter("OpenIddict", LogLevel.Warning)
            // The fault handler logs each fault once, with its trace id.
            .AddFilter("Microsoft.AspNetCore.Diagnostics.ExceptionHandlerMiddleware", LogLevel.None);
        foreach (var member in builder.Configuration.GetSection("Logging").GetChildren())
        {
            if (member.Key is not "LogLevel")
            {
                throw new ValidationException($"Configuration section Logging: {member.Key} is unknown; LogLevel is the one member.");
            }

            foreach (var level in member.GetChildren())
            {
                if (!Enum.TryParse<LogLevel>(level.Value, ignoreCase: false, out var value) || !Enum.IsDefined(value) || char.IsAsciiDigit(level.Value![0]))
                {
                    throw new ValidationException($"Configuration section Logging: LogLevel:{level.Key} is one of {string.Join(", ", Enum.GetNames<LogLevel>())}.");
                }

                builder.Logging.AddFilter(level.Key is "Default" ? null : level.Key, value);
            }
        }
    }
}
