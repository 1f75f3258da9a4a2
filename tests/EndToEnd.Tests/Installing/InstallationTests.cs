using System.Globalization;
using System.Text.Json;
using Trust.Cli.Demo;
using Trust.Cli.Local;
using Trust.TestKit;

namespace Trust.EndToEnd.Tests.Installing;

/// <summary>The installer repeats what was cut off, deletes nothing, finds what it started, and says why something does not start.</summary>
public sealed class InstallationTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task Set_up_that_is_cut_off_at_any_step_goes_on_when_it_is_begun_again()
    {
        var installation = new Installation(Scratch.Directory("cut-off"), AddressPlan.FreePorts(), Cli.Program.RepositoryRoot());
        try
        {
            var whole = false;
            for (var cut = 0; !whole; cut++)
            {
                var steps = 0;
                try
                {
                    await installation.Start(_ => ThrowAt(cut, steps++), None);
                    whole = true;
                }
                catch (CutOffException)
                {
                    Assert.False(cut > 20);
                }
            }

            // The notes are lost: the processes are found all the same, and none is started twice.
            var running = installation.Services.Values.Select(s => s.ProcessId).ToList();
            Directory.Delete(Path.Combine(installation.Directory, "run"), recursive: true);
            await installation.Start(_ => { }, None);
            Assert.Equal(running, installation.Services.Values.Select(s => s.ProcessId));
            await using var world = await World.Open(installation, Cli.Program.RepositoryRoot(), None);
            for (var again = 0; again < 2; again++)
            {
                await world.ImportRegistry(None);
                await world.RegisterClients(None);
                await world.EnrolSeal(None);
            }

            await world.Enrol(0, None);
            // A card whose certificates were issued and not stored: the same keys are asked for again.
            File.Delete(world.Physician.CertificateFile(Card.SignatureKey));
            await world.Enrol(0, None);
            Assert.True(File.Exists(world.Physician.CertificateFile(Card.SignatureKey)));
        }
        finally
        {
            await installation.Stop(None);
            Assert.All(installation.Services.Values, s => Assert.False(s.IsRunning()));
        }
    }

    [Fact]
    public async Task Set_up_that_is_killed_at_any_moment_goes_on_when_it_is_begun_again()
    {
        var directory = Scratch.Directory("killed");
        var installation = new Installation(directory, AddressPlan.FreePorts(), Cli.Program.RepositoryRoot());
        var addresses = Path.Combine(directory, "addresses.json");
        await File.WriteAllTextAsync(addresses, JsonSerializer.Serialize(installation.Addresses));
        var moments = new Random();
        var killed = new List<string>();
        try
        {
            for (var kill = 0; kill < 5; kill++)
            {
                killed.Add(await KilledAt(directory, addresses, moments.Next(1 + (kill * 2)), TimeSpan.FromMilliseconds(moments.Next(1500))));
            }

            var (code, _, error) = await Command.Try(ServiceProcess.DotnetHost(), [typeof(InstallationTests).Assembly.Location, EntryPoint.SetUpAndUse, directory, addresses], None);
            Assert.True(code == 0, $"Killed {string.Join(", ", killed)}: {error}");
        }
        finally
        {
            await installation.Stop(None);
        }
    }

    [Fact]
    public async Task A_cluster_without_its_version_is_neither_deleted_nor_taken_for_an_interrupted_one()
    {
        var directory = Scratch.Directory("no-version");
        var file = Path.Combine(directory, "data", "base", "1", "2619");
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        await File.WriteAllTextAsync(file, "rows");
        var refused = await Assert.ThrowsAsync<CommandFailedException>(() => PostgresCluster.Start(directory, [], None));
        Assert.Contains("PG_VERSION", refused.Message, StringComparison.Ordinal);
        Assert.Contains("./trust reset", refused.Message, StringComparison.Ordinal);
        Assert.Equal("rows", await File.ReadAllTextAsync(file));
    }

    [Fact]
    public async Task A_service_that_cannot_start_says_why_in_one_line()
    {
        var directory = Scratch.Directory("why");
        var file = Path.Combine(directory, "idp.json");
        await File.WriteAllTextAsync(file, """{ "Servce": {} }""");
        var service = new ServiceProcess("idp", ServiceProcess.Assembly(Cli.Program.RepositoryRoot(), "idp"), file, directory, new Dictionary<string, string>(StringComparer.Ordinal));
        service.Start();
        await Eventually.Holds(() => !service.IsRunning() && File.Exists(service.LogFile) && new FileInfo(service.LogFile).Length > 0, "it ends");
        Assert.StartsWith("idp: Configuration section Servce is unknown; known are Service, Listen", service.Reason(), StringComparison.Ordinal);
        Assert.DoesNotContain('\n', service.Reason());
    }

    // SIGKILL of the set-up alone, as by the kernel short of memory: what it had started goes on.
    private static async Task<string> KilledAt(string directory, string addresses, int step, TimeSpan after)
    {
        using var setUp = Command.Start(
            ServiceProcess.DotnetHost(), [typeof(InstallationTests).Assembly.Location, EntryPoint.SetUp, directory, addresses], null, redirect: true);
        string? last = null;
        for (var told = 0; told <= step && await setUp.StandardOutput.ReadLineAsync(None) is { } line; told++)
        {
            last = line;
        }

        // The moment of the kill, not a wait: any will do.
        await Task.WhenAny(setUp.WaitForExitAsync(None), Task.Delay(after, None));
        setUp.Kill();
        await setUp.WaitForExitAsync(None);
        return string.Create(CultureInfo.InvariantCulture, $"{after.TotalMilliseconds} ms after '{last}'");
    }

    private static void ThrowAt(int cut, int step)
    {
        if (cut == step)
        {
            throw new CutOffException(step);
        }
    }

    private sealed class CutOffException(int step) : Exception("Cut off at step " + step.ToString(CultureInfo.InvariantCulture));
}
