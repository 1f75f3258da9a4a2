namespace Trust.Cli.Local;

/// <summary>
/// Installations of several regions on this machine, each with clusters, tokens, certification authority and log of its own. The first gives people their
/// identifiers for all; each declares where the others answer.
/// </summary>
public static class Regions
{
    /// <summary>Installations that know each other; nothing is made or started yet.</summary>
    /// <param name="folder">Each lies in a folder of its own below.</param>
    /// <param name="codes">GB/T 2260 codes; the first is the registrar's.</param>
    /// <param name="addresses">Where a region's services listen.</param>
    /// <param name="repository">Repository with the built services.</param>
    /// <param name="cards">Token directory of everyone's cards: a process opens one only.</param>
    public static IReadOnlyList<Installation> On(string folder, IReadOnlyList<string> codes, Func<string, AddressPlan> addresses, string repository, string cards)
    {
        List<Installation> all = [.. codes.Select(code => new Installation(Path.Combine(folder, code), addresses(code), repository, code) { Cards = cards })];
        foreach (var one in all)
        {
            one.Join(all);
        }

        return all;
    }

    /// <summary>Makes what is missing and starts everything.</summary>
    /// <param name="all">The installations.</param>
    /// <param name="progress">Told each step in plain words.</param>
    /// <param name="ct">Cancels; what runs is left to <see cref="Installation.Stop"/>.</param>
    public static async Task Start(IReadOnlyList<Installation> all, Action<string> progress, CancellationToken ct)
    {
        // Each service asks at its start for the certificate by which it knows the other region's: all ceremonies come first.
        foreach (var one in all)
        {
            await one.Prepare(step => progress($"{one.Region}: {step}"), ct);
        }

        foreach (var one in all)
        {
            await one.Serve(step => progress($"{one.Region}: {step}"), ct);
        }
    }
}
