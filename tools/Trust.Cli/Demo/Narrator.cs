using System.Diagnostics;
using System.Globalization;

namespace Trust.Cli.Demo;

/// <summary>Tells the demonstration: each step in plain words, what was checked, how long it took.</summary>
public sealed class Narrator(TextWriter output)
{
    private readonly Stopwatch _step = new();
    private int _checks;

    /// <summary>Checks made so far.</summary>
    public int Checks => _checks;

    /// <summary>Begins a step.</summary>
    public void Step(int number, string title)
    {
        output.WriteLine();
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{number}. {title}"));
        _step.Restart();
    }

    /// <summary>One thing that was seen to be true.</summary>
    public void Checked(string what)
    {
        _checks++;
        output.WriteLine("   ✓ " + what);
    }

    /// <summary>Background for the reader.</summary>
    public void Says(string what) => output.WriteLine("     " + what);

    /// <summary>Ends a step with its time.</summary>
    public void Done() => output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"     ({_step.Elapsed.TotalSeconds:F1} s)"));

    /// <summary>Stops the demonstration unless something is true.</summary>
    /// <exception cref="DemoException">It is not.</exception>
    public void Must(bool holds, string what)
    {
        if (!holds)
        {
            throw new DemoException("This must be true and is not: " + what);
        }

        Checked(what);
    }
}
