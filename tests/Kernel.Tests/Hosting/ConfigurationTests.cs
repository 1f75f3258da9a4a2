using System.ComponentModel.DataAnnotations;
using Trust.Kernel.Hosting;
using Trust.TestKit;

namespace Trust.Kernel.Tests.Hosting;

/// <summary>What is wrong with command line or configuration is told in one sentence, and stops the start.</summary>
public sealed class ConfigurationTests
{
    private static readonly ServiceDefinition Service = new()
    {
        Name = "test", Assembly = typeof(ConfigurationTests), HasDatabase = false, HasOutbox = false, Sections = ["Own"],
        Configure = builder => builder.Configuration.Section<OwnOptions>("Own"),
    };

    [Theory]
    [InlineData("""{ "Servce": {} }""", "Configuration section Servce is unknown; known are Service, Listen, Database, Token, Tokens, Peers, Ledger, RateLimits, Logging, Own.")]
    [InlineData("""{ "Own": {} }""", "Configuration section Service is missing.")]
    [InlineData("""{ "Service": { "Regin": "510000" } }""", "'Regin'")]
    [InlineData("""{ "Service": 5 }""", "Configuration section Service")]
    [InlineData("""{ "Service": {}, "Service": {} }""", "cannot be read")]
    [InlineData("""{ "Service": """, "cannot be read")]
    [InlineData("[]", "is no JSON object")]
    [InlineData("""{ "Logging": { "LogLevel": { "Default": "Loud" } } }""", "LogLevel:Default is one of Trace, Debug, Information")]
    [InlineData("""{ "Logging": { "LogLevel": { "Default": "1" } } }""", "LogLevel:Default is one of")]
    [InlineData("""{ "Logging": { "Level": "Debug" } }""", "Level is unknown")]
    public void A_file_that_is_not_understood_is_named_with_what_is_wrong(string json, string sentence)
    {
        var file = Path.Combine(Scratch.Directory("config"), "test.json");
        File.WriteAllText(file, json);
        Assert.Contains(sentence, Assert.Throws<ValidationException>(() => ServiceHost.Build(["run", "--config", file], Service)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_wrong_command_line_ends_with_a_code_and_no_stack()
    {
        Assert.Equal(ServiceHost.Misconfigured, await ServiceHost.Run(["run"], Service));
        Assert.Equal(ServiceHost.Misconfigured, await ServiceHost.Run(["run", "--config", "/nowhere/test.json"], Service));
        Assert.Equal(0, await ServiceHost.Run(["--version"], Service));
        Assert.Equal(0, await ServiceHost.Run(["--help"], Service));
    }

    [Fact]
    public async Task An_empty_section_counts_and_a_check_starts_nothing()
    {
        var directory = Scratch.Directory("config");
        var file = Path.Combine(directory, "test.json");
        var path = directory.Replace("\\", "/", StringComparison.Ordinal);
        await File.WriteAllTextAsync(file, $$"""
            {
              "Service": { "Region": "510000", "Node": "n-1", "PublicDirectory": "{{path}}", "DataDirectory": "{{path}}" },
              "Listen": { "Main": { "Url": "http://127.0.0.1:1" } },
              "Logging": { "LogLevel": { "Default": "Debug", "Trust.Kernel": "Trace" } },
              "Own": {}
            }
            """);
        Assert.Equal(0, await ServiceHost.Run(["run", "--config", file, "--check-config"], Service));
        TestDeclaration.Write(file, Service);
        await using var app = ServiceHost.Build(["run", "--config", file], Service);
        var log = (Microsoft.Extensions.Logging.ILoggerFactory)app.Services.GetService(typeof(Microsoft.Extensions.Logging.ILoggerFactory))!;
        Assert.True(log.CreateLogger("Trust.Any").IsEnabled(Microsoft.Extensions.Logging.LogLevel.Debug));
        Assert.False(log.CreateLogger("Trust.Any").IsEnabled(Microsoft.Extensions.Logging.LogLevel.Trace));
        Assert.True(log.CreateLogger("Trust.Kernel.Part").IsEnabled(Microsoft.Extensions.Logging.LogLevel.Trace));
        Assert.False(log.CreateLogger("Microsoft.AspNetCore").IsEnabled(Microsoft.Extensions.Logging.LogLevel.Debug));
    }

    private sealed record OwnOptions
    {
        public int Any { get; init; } = 1;
    }
}
