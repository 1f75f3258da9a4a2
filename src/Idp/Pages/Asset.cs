using System.Reflection;

namespace Trust.Idp.Pages;

/// <summary>A file that the pages use, embedded in the program.</summary>
internal static class Asset
{
    /// <summary>A handler that answers the file.</summary>
    public static Delegate Of(string name, string type)
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream("Trust.Idp.Assets." + name)
            ?? throw new InvalidOperationException($"The asset {name} is not embedded.");
        using var memory = new MemoryStream();
        stream.CopyTo(memory);
        var bytes = memory.ToArray();
        return (HttpContext context) =>
        {
            context.Response.Headers.CacheControl = "public, max-age=3600";
            return Results.Bytes(bytes, type);
        };
    }
}
