using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.DependencyInjection;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;
using Trust.Kernel.Residency;

namespace Trust.Kernel.Hosting;

/// <summary>Traces and metrics by OTLP, only when configured, and only to a declared peer.</summary>
internal static class Telemetry
{
    private static readonly string[] Sources = ["Npgsql", "Microsoft.AspNetCore", "Trust"];
    private static readonly string[] Meters = ["Npgsql", "Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.Server.Kestrel", "System.Runtime", "Trust"];

    public static void Add(IServiceCollection services, string service, ServiceOptions options, Outbound outbound)
    {
        if (options.OtlpEndpoint is not { } endpoint)
        {
            return;
        }

        if (!outbound.Declares(endpoint))
        {
            throw new ValidationException($"The telemetry endpoint {endpoint} is not a declared peer.");
        }

        var resource = ResourceBuilder.CreateEmpty().AddService("trust-" + service, serviceInstanceId: options.Node);
        services.AddSingleton(Sdk.CreateTracerProviderBuilder().SetResourceBuilder(resource).AddSource(Sources).AddOtlpExporter(o => o.Endpoint = endpoint).Build());
        services.AddSingleton(Sdk.CreateMeterProviderBuilder().SetResourceBuilder(resource).AddMeter(Meters).AddOtlpExporter(o => o.Endpoint = endpoint).Build());
    }
}
